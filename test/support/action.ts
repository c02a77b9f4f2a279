import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResultsEmulator } from '../emulators/results/emulator.ts';
import type { JobRun } from '../emulators/results/tokens.ts';
import { runCli } from './cli.ts';
import { assembledRelease } from './release.ts';
import { ROOT } from './root.ts';
import { readYaml } from './yaml.ts';

/** What a step left. */
export interface StepResult {
  readonly exitCode: number;
  /** The step's log, workflow commands and all. */
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly summary: string;
}

export interface Step {
  readonly results: ResultsEmulator;
  readonly job: JobRun;
  /** A folder that may be written to. */
  readonly temp: string;
  /** What stands under `with:`. */
  readonly with: Readonly<Record<string, string>>;
  readonly event?: unknown;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs an action as a runner would: inputs, tokens and files in the environment. It is the program of a release, which starts in
 * half of the time of the source: each step is a process that loads GitHub's toolkit.
 */
export async function runStep(
  action: string,
  { results, job, temp, with: inputs, event = {}, env = {} }: Step,
): Promise<StepResult> {
  const folder = join(temp, crypto.randomUUID());
  await mkdir(join(folder, 'temp'), { recursive: true });
  const files = {
    GITHUB_OUTPUT: join(folder, 'output'),
    GITHUB_STEP_SUMMARY: join(folder, 'summary'),
    GITHUB_EVENT_PATH: join(folder, 'event.json'),
  };
  for (const file of Object.values(files)) await writeFile(file, '');
  await writeFile(files.GITHUB_EVENT_PATH, JSON.stringify(event));
  const variables = Object.fromEntries(
    Object.entries({ ...(await defaultsOf(action)), ...inputs }).map(([name, value]) => [
      `INPUT_${name.toUpperCase()}`,
      value,
    ]),
  );
  const { exitCode, stdout, stderr } = await runCli([`--action=${action}`], {
    cwd: folder,
    env: { RUNNER_TEMP: join(folder, 'temp'), ...results.environment(job), ...files, ...variables, ...env },
    program: join(await assembledRelease(), 'dist/index.js'),
    asProcess: 'the toolkit of actions reads and changes the environment of its process',
  });
  const read = (file: string): Promise<string> => readFile(file, 'utf8');
  return {
    exitCode,
    log: stdout + stderr,
    outputs: parseOutputs(await read(files.GITHUB_OUTPUT)),
    summary: await read(files.GITHUB_STEP_SUMMARY),
  };
}

/** The defaults in action.yml, which a runner fills in where the workflow leaves an input out, but for expressions. */
async function defaultsOf(action: string): Promise<Record<string, string>> {
  const { inputs } = readYaml(await readFile(join(ROOT, 'actions', action, 'action.yml'), 'utf8')) as {
    readonly inputs: Readonly<Record<string, { readonly default?: string }>>;
  };
  return Object.fromEntries(
    Object.entries(inputs).flatMap(([name, { default: text }]) =>
      text === undefined || text.includes('${{') ? [] : [[name, text]],
    ),
  );
}

/** `NAME<<DELIMITER`, lines, `DELIMITER`: GitHub's file format for outputs. */
function parseOutputs(text: string): Record<string, string> {
  const found = text.matchAll(/^([^\n]+?)<<(\S+)\n([\s\S]*?)\n?\2$/gm);
  return Object.fromEntries([...found].map(([, name = '', , value = '']) => [name, value]));
}
