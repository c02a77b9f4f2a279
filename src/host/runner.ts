import { tmpdir } from 'node:os';
import type { Log } from '../core/log.ts';
import { plainText } from '../core/printable.ts';
import type { Command, CommandLoaders, CommandResult, State } from './command.ts';
import { type DocsPlace, docsOfAction } from './docs-place.ts';
import { createExec } from './exec.ts';
import { asUserError, describeFailure, docsLine, EXIT, type Failure } from './failure.ts';
import { type Fields, fieldMeta } from './fields.ts';
import { parseInputs, type RawInputs } from './inputs.ts';
import { createMask, type Mask } from './mask.ts';
import { actionSpelling, inputVariable, kebab } from './names.ts';
import { maskSecrets, runCommand } from './run-command.ts';
import { createRunnerLog, type Toolkit } from './runner-log.ts';
import type { World } from './world.ts';

/**
 * Bytes of what a step did and of what failed, together less than the 1 MiB of which GitHub drops a step's whole summary; some room is left for
 * the notes at their ends.
 */
const SUMMARY_LIMIT = { work: 960 * 1024, failure: 60 * 1024 };

const ACTION_HINT = "The inputs are described in the action's README.md.";

/** Which command a step of a workflow runs, and whether as the action's post step. */
interface ActionEntry {
  readonly name: string;
  readonly isPost: boolean;
}

/**
 * The command that an action's entry asks for. An entry is a stub that adds `--action=NAME` or `--post-action=NAME` to argv and imports
 * the program; on the command line, where GITHUB_ACTIONS is not set, the word means nothing.
 */
export function actionOf({ argv, env }: Pick<World, 'argv' | 'env'>): ActionEntry | undefined {
  if (env('GITHUB_ACTIONS') !== 'true') return undefined;
  const [, post, name] = /^--(post-)?action=(.*)$/s.exec(argv[0] ?? '') ?? [];
  return name === undefined ? undefined : { name, isPost: post !== undefined };
}

/** @internal What the workflow wrote under `with:`; GitHub gives an empty text for what it left out. */
export const readInputs = (fields: Fields, env: World['env']): RawInputs =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => fieldMeta(field).faces !== 'cli')
      .map(([name]) => [name, env(inputVariable(name))]),
  );

/** @internal Cuts a summary at a line end before GitHub refuses it. */
export function fitSummary(markdown: string, limit: number): string {
  const bytes = Buffer.from(markdown);
  if (bytes.length <= limit) return markdown;
  const kept = bytes.subarray(0, limit).toString('utf8');
  return `${kept.slice(0, kept.lastIndexOf('\n') + 1)}\n_The summary is cut here: GitHub takes 1 MiB of each step._\n`;
}

async function writeSummary(
  { toolkit, log }: Pick<Step, 'toolkit' | 'log'>,
  part: keyof typeof SUMMARY_LIMIT,
  markdown: string,
): Promise<void> {
  try {
    await toolkit.summary.addRaw(fitSummary(markdown, SUMMARY_LIMIT[part]), true).write();
  } catch (error) {
    // The work is done; a missing summary must not make it fail.
    log.warn(`cannot write the job summary: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Step {
  readonly toolkit: Toolkit;
  readonly log: Log;
  readonly mask: Mask;
  readonly docsAt: DocsPlace;
}

/** The runner says it only at the end of the job, and of job outputs it says no more than that it skips them. */
const lostOutput = (name: string): string =>
  `the output ${name} holds a text that is masked as a secret, so GitHub gives it to no other job; ` +
  'what names a place, such as an owner or user name, should be a variable and not a secret';

async function leave({ toolkit, log, mask }: Step, result: CommandResult): Promise<void> {
  if (result.text !== '') log.info(result.text.trimEnd());
  for (const [name, value] of Object.entries(result.outputs)) {
    if (mask.applyToResult(value) !== value) log.warn(lostOutput(kebab(name)));
    toolkit.setOutput(kebab(name), value);
  }
  for (const [name, value] of Object.entries(result.environment ?? {})) toolkit.exportVariable(name, value);
  for (const [name, value] of Object.entries(result.state ?? {})) toolkit.saveState(name, value);
  if (result.summary !== undefined) await writeSummary({ toolkit, log }, 'work', mask.apply(plainText(result.summary)));
}

/** The failure as the job's summary shows it; its plain text is in code blocks, where Markdown means nothing. */
function failureSummary(title: string, { message, hint, docs }: Failure): string {
  const block = (text: string): string =>
    text
      .split('\n')
      .map((line) => `    ${line}\n`)
      .join('');
  const parts = [
    `### ${title} failed\n`,
    block(message),
    ...(hint === undefined ? [] : [`What to do:\n\n${block(hint)}`]),
    ...docsLine({ docs }).map((line) => `${line}\n`),
  ];
  return parts.join('\n');
}

/** The text of a failure's annotation; the stack of a bug goes to the log. */
function annotate({ message, causes, hint, docs, stack }: Failure, log: Log): string {
  if (stack !== undefined) log.info(stack);
  return [
    message,
    ...causes.map((cause) => `cause: ${cause}`),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
    ...docsLine({ docs }),
  ].join('\n');
}

const faceOf = ({ mask, docsAt }: Pick<Step, 'mask' | 'docsAt'>) => ({ mask: mask.apply, docsAt });

async function fail({ toolkit, log, ...face }: Step, title: string, error: unknown): Promise<number> {
  const failure = describeFailure(error, faceOf(face));
  toolkit.error(annotate(failure, log), { title });
  await writeSummary({ toolkit, log }, 'failure', failureSummary(title, failure));
  return EXIT.failed;
}

/** A post step comes when the job's work is done; its failure must not take that back. */
function warn({ toolkit, log, ...face }: Step, title: string, error: unknown): number {
  toolkit.warning(annotate(describeFailure(error, faceOf(face)), log), { title });
  return EXIT.done;
}

/** The runner hands on what was saved by a prefix; an empty text is what it gives where nothing was. */
const stateOf =
  ({ env }: Pick<World, 'env'>): State =>
  (name) =>
    env(`STATE_${name}`);

/** The post step of a command as a command, for both run alike. */
function postCommand(command: Command, world: World): Command {
  const { post } = command;
  if (post === undefined) throw new TypeError(`the action ${command.name} has no post step`);
  return {
    ...command,
    outputs: {},
    run: (inputs, host) => post.run(inputs, host, stateOf(world)),
    present: (result) => ({ outputs: {}, data: null, ...post.present(result) }),
  };
}

async function execute(step: Step, command: Command, world: World): Promise<void> {
  const raw = readInputs(command.inputs, world.env);
  maskSecrets(command.inputs, raw, step.log.mask);
  const inputs = parseInputs(command.inputs, raw, { name: actionSpelling, hint: ACTION_HINT });
  const { signal, env, cwd, fetch, program, now } = world;
  const exec = createExec({ env: world.environment, cwd, signal });
  const host = { kind: 'runner', log: step.log, exec, signal, env, cwd, fetch, program } as const;
  const face = { ...host, now, hide: step.mask.apply };
  const result = await runCommand(command, inputs, face, env('RUNNER_TEMP') ?? tmpdir());
  await leave(step, result);
  if (result.failure !== undefined) throw result.failure;
}

/** Runs a command as a step of a workflow, or as what comes when its job ends. Returns the exit code; never throws. */
export async function runAction(
  loaders: CommandLoaders,
  { name, isPost }: ActionEntry,
  world: World,
  toolkit: Toolkit,
): Promise<number> {
  const mask = createMask();
  const log = createRunnerLog(toolkit, mask, world.now);
  const step: Step = { toolkit, mask, log, docsAt: docsOfAction(world) };
  try {
    const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined;
    if (load === undefined) throw new TypeError(`the action's entry asks for the unknown command ${name}`);
    const command = await load();
    await execute(step, isPost ? postCommand(command, world) : command, world);
    return EXIT.done;
  } catch (error) {
    const failure = asUserError(error, world.signal);
    return isPost ? warn(step, `nix-images ${name}`, failure) : await fail(step, `nix-images ${name}`, failure);
  }
}
