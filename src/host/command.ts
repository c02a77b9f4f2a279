import type { UserError } from '../core/error.ts';
import { type Fields, fieldMeta, type InputsOf } from './fields.ts';
import type { Host } from './host.ts';

/** Name in camelCase and one sentence of description. */
type OutputDeclarations = Readonly<Record<string, string>>;

/** How a command's result is shown; each face shows its part. */
export interface CommandResult<O extends OutputDeclarations = OutputDeclarations> {
  /** The outputs of the action's step; an empty text where there is nothing to say. */
  readonly outputs: { readonly [K in keyof O]: string };
  /** Variables for the workflow's steps after this one; the command line sets none. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What the action's post step is to know of this one, by names in camelCase. */
  readonly state?: Readonly<Record<string, string>>;
  /** What `--json` prints. */
  readonly data: unknown;
  /** What a person sees on standard output. */
  readonly text: string;
  /** Markdown for the job summary. */
  readonly summary?: string;
  /** What the command line ends with where nothing failed: that of a program which the command was to run. Default: 0. */
  readonly exitCode?: number;
  /** What failed although the rest was done: told after the rest, and the run fails. */
  readonly failure?: UserError;
}

/**
 * What an action does when its job ends, with the inputs of its step and the `state` that the step's result left. The command line has no
 * such step. The job is over by then, so what fails here is a warning.
 */
interface PostStep<F extends Fields = Fields, R = unknown> {
  run(inputs: InputsOf<F>, host: Host, state: State): Promise<R>;
  present(result: R): Pick<CommandResult, 'text' | 'summary' | 'failure'>;
}

/** What the step left under a name; undefined where it left nothing. */
export type State = (name: string) => string | undefined;

/** One command, from which its three faces are made: command line, action, and their documentation. */
export interface Command<F extends Fields = Fields, O extends OutputDeclarations = OutputDeclarations, R = unknown> {
  /** As it is typed: one lower-case word. */
  readonly name: string;
  /** One sentence with a full stop: the first line of help and the action's description. */
  readonly summary: string;
  /** More for help and the action's README: paragraphs in plain Markdown. */
  readonly description?: string;
  /** Given where it is no action: it waits for a person, or for engines on one's own machine. */
  readonly faces?: 'cli';
  readonly inputs: F;
  readonly outputs: O;
  /** Does the work, and gives what was done as plain data. */
  run(inputs: InputsOf<F>, host: Host): Promise<R>;
  /** What people, scripts and later steps are told of it. Pure: it asks and changes nothing. */
  present(result: R): CommandResult<O>;
  readonly post?: PostStep<F>;
}

/** Commands by name, each imported only when it is asked for. */
export type CommandLoaders = Readonly<Record<string, () => Promise<Command>>>;

/** Flags that every command has. */
export const COMMON_FLAGS = ['json', 'verbose', 'help', 'version'] as const;
const COMMON_SHORT = ['h'];

const CAMEL_CASE = /^[a-z][a-zA-Z0-9]*$/;

function checkNames(command: Command): void {
  for (const name of [...Object.keys(command.inputs), ...Object.keys(command.outputs)]) {
    if (!CAMEL_CASE.test(name)) throw new TypeError(`${command.name}: ${name} is not in camelCase`);
  }
  for (const flag of COMMON_FLAGS) {
    if (flag in command.inputs) throw new TypeError(`${command.name}: --${flag} belongs to every command`);
  }
}

function checkFields(command: Command): void {
  const taken = new Set(COMMON_SHORT);
  let rest: string | undefined;
  for (const [name, field] of Object.entries(command.inputs)) {
    const meta = fieldMeta(field);
    if (meta.short !== undefined && (meta.short.length !== 1 || taken.has(meta.short))) {
      throw new TypeError(`${command.name}: -${meta.short} of ${name} is taken or not one letter`);
    }
    if (meta.short !== undefined) taken.add(meta.short);
    if (!meta.positional) continue;
    if (rest !== undefined) throw new TypeError(`${command.name}: ${name} cannot come after ${rest}, which takes all`);
    if (meta.repeatable) rest = name;
  }
}

/** Declares a command. The types of `run` and `present` come from `inputs` and `outputs`. Throws (a bug) on clashing names. */
export function defineCommand<const F extends Fields, const O extends OutputDeclarations, R>(
  command: Command<F, O, R>,
): Command<F, O, R> {
  checkNames(command);
  checkFields(command);
  return command;
}
