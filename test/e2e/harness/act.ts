import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { actPath } from '../../../scripts/setup/go-tools.mjs';
import { memoryTempDir, runProgram } from '../../support/tools.ts';
import { asActReads, CHECKED_OUT_FROM, type Library } from './library.ts';
import { type JobRun, readJobs } from './log.ts';
import { commitAll, writeFiles } from './repository.ts';

/** The labels in the project's workflows, and a group; a job with another one would be left out without a word. */
const RUNNERS = ['ubuntu-latest', 'ubuntu-24.04', 'ubuntu-24.04-arm', 'self-hosted', 'big-machines'];

/** Where the user's repository says that it comes from. */
export const CONSUMER = 'org/consumer';

export interface WorkflowOptions {
  readonly library: Library;
  /** Files of the user's repository, the workflow among them. */
  readonly files: Readonly<Record<string, string>>;
  /** Path of the workflow in that repository. */
  readonly workflow: string;
  /** Default: `push`. */
  readonly event?: string;
  /** What GitHub says about the event. */
  readonly payload?: Readonly<Record<string, unknown>>;
  /** In the environment of every step, for instance the results service's address. */
  readonly env?: Readonly<Record<string, string>>;
  /** Folder of programs that come before this machine's own. */
  readonly programs?: string;
  /** The repository's secrets. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Runs this job alone (and those that it needs). */
  readonly job?: string;
  /** Runs these jobs of a matrix alone. */
  readonly matrix?: Readonly<Record<string, string>>;
}

export interface WorkflowRun {
  /** Whether no job failed. */
  readonly ok: boolean;
  readonly jobs: readonly JobRun[];
  /** All that act printed, for messages. */
  readonly log: string;
}

const flags = (name: string, values: readonly string[]): string[] => values.flatMap((value) => [name, value]);

/** Steps have act's own environment, but for what a runner sets: that act sets too, unless it is told by `--env`. */
const runnerVariables = (env: Readonly<Record<string, string>>): string[] =>
  Object.entries(env)
    .filter(([name]) => /^(GITHUB|ACTIONS|RUNNER)_/.test(name))
    .map(([name, value]) => `${name}=${value}`);

const argumentsOf = (options: WorkflowOptions, scratch: string): string[] => {
  const { library, workflow, event = 'push', env = {}, secrets = {}, job, matrix = {} } = options;
  const repositories = [...library.repositories].map(([reference, folder]) => `${reference}=${folder}`);
  return [
    event,
    ...['--workflows', workflow, '--eventpath', join(scratch, 'event.json'), '--json'],
    // Host mode: steps run on this machine, as this user.
    ...flags(
      '--platform',
      RUNNERS.map((label) => `${label}=-self-hosted`),
    ),
    ...flags('--local-repository', repositories),
    ...flags('--env', runnerVariables(env)),
    ...flags(
      '--secret',
      Object.entries(secrets).map(([name, value]) => `${name}=${value}`),
    ),
    // Its servers speak older protocols than the clients, on fixed ports.
    ...['--no-cache-server', '--action-offline-mode', '--action-cache-path', join(scratch, 'work')],
    ...(job === undefined ? [] : ['--job', job]),
    ...flags(
      '--matrix',
      Object.entries(matrix).map(([name, value]) => `${name}:${value}`),
    ),
  ];
};

/**
 * Runs a workflow of a repository made of `files` by act, in host mode, without the network. Each run has folders of its own,
 * which are gone afterwards. A job that fails is a result; throws only when act did not run any job.
 */
export async function runWorkflow(options: WorkflowOptions): Promise<WorkflowRun> {
  // act copies all of an action's repository for each step that uses it.
  await using folder = await memoryTempDir('workflow');
  const repository = join(folder.path, 'repository');
  const workflow = asActReads(options.files[options.workflow] ?? '');
  await writeFiles(repository, { ...options.files, [options.workflow]: workflow });
  await commitAll(repository, CONSUMER);
  await writeFile(join(folder.path, 'event.json'), JSON.stringify(options.payload ?? {}));
  // A settings file of its own, empty: act asks questions where it finds none.
  await mkdir(join(folder.path, 'settings/act'), { recursive: true });
  await writeFile(join(folder.path, 'settings/act/actrc'), '');
  const env = {
    ...options.env,
    [CHECKED_OUT_FROM]: repository,
    XDG_CONFIG_HOME: join(folder.path, 'settings'),
    // act runs whatever node is first on PATH, not the one that action.yml asks for.
    PATH: [dirname(process.execPath), options.programs, process.env.PATH].filter((part) => part).join(delimiter),
    // Vitest's own mark would make programs think that they are under test.
    NODE_ENV: undefined,
    VITEST: undefined,
    // Node keeps compiled files by their paths, which no second run has.
    NODE_COMPILE_CACHE: undefined,
  };
  const { exitCode, stdout, stderr } = await runProgram(actPath(), argumentsOf(options, folder.path), {
    cwd: repository,
    env,
  });
  const jobs = readJobs(stdout);
  if (jobs.length === 0) throw new Error(`act ran no job (${exitCode}):\n${stdout}${stderr}`);
  return { ok: exitCode === 0, jobs, log: `${stdout}${stderr}` };
}

/** The one job of that id and matrix; throws with the log when there is none or more than one. */
export function jobOf(
  run: Pick<WorkflowRun, 'jobs' | 'log'>,
  id: string,
  matrix: Readonly<Record<string, string>> = {},
): JobRun {
  const wanted = Object.entries(matrix);
  const found = run.jobs.filter((job) => job.id === id && wanted.every(([name, value]) => job.matrix[name] === value));
  const [job] = found;
  if (job === undefined || found.length > 1) {
    throw new Error(`${found.length} jobs ${id} ${JSON.stringify(matrix)} in:\n${run.log}`);
  }
  return job;
}
