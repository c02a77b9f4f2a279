import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import { didYouMean } from '../core/nearest.ts';
import { type Arguments, cliFields, helpHint, readArguments } from './argv.ts';
import { createAttach } from './attach.ts';
import type { Command, CommandLoaders } from './command.ts';
import { docsOfProgram } from './docs-place.ts';
import { createExec } from './exec.ts';
import { asUserError, describeFailure, EXIT } from './failure.ts';
import { renderCommandHelp, renderProgramHelp } from './help.ts';
import { parseInputs, type RawInputs } from './inputs.ts';
import { createMask, type Mask } from './mask.ts';
import { cliSpelling, secretVariable } from './names.ts';
import { renderResult } from './render-result.ts';
import { exitCodeOf, maskSecrets, runCommand } from './run-command.ts';
import { DEFAULT_WIDTH } from './screen.ts';
import { createTerminal, type Terminal, wantsColour } from './terminal.ts';
import { VERSION } from './version.ts';
import type { World } from './world.ts';

const GENERAL_HINT = 'nix-images --help lists the commands.';

const widthOf = (stream: { readonly columns?: number }): number => stream.columns ?? DEFAULT_WIDTH;

const loadAll = async (loaders: CommandLoaders): Promise<Command[]> =>
  await Promise.all(Object.values(loaders).map((load) => load()));

async function loadCommand(loaders: CommandLoaders, name: string): Promise<Command> {
  const load = Object.hasOwn(loaders, name) ? loaders[name] : undefined;
  if (load !== undefined) return await load();
  if (name.startsWith('-')) {
    throw new UserError('input', `${name} must come after the command`, {
      hint: 'Write the command first, then its flags.',
    });
  }
  const guess = didYouMean(name, Object.keys(loaders));
  throw new UserError('input', `unknown command ${JSON.stringify(name)}.${guess}`, { hint: GENERAL_HINT });
}

async function readSecretFile(file: string, spelled: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UserError('input', `${spelled}: cannot read ${file}`, { cause: error });
  }
}

/** Adds the secrets: from the file that a flag names, else from the environment. */
async function withSecrets(command: Command, { raw, secretFiles }: Arguments, world: World): Promise<RawInputs> {
  const all = { ...raw };
  for (const [name, meta] of cliFields(command.inputs)) {
    if (meta.kind !== 'secret') continue;
    const file = secretFiles[name];
    const path = file === undefined ? undefined : resolve(world.cwd, file);
    all[name] =
      path === undefined ? world.env(secretVariable(name)) : await readSecretFile(path, cliSpelling(name, meta));
  }
  return all;
}

/** Writes and waits until the reader has it, so that the end of the process cuts nothing off. */
const print = (world: World, text: string): Promise<void> =>
  new Promise((done) => {
    world.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`, () => done());
  });

interface Session {
  readonly world: World;
  readonly terminal: Terminal;
  readonly mask: Mask;
}

function failWith({ world, terminal, mask }: Session, error: unknown, code: number): number {
  terminal.close();
  terminal.showFailure(describeFailure(error, { docsAt: docsOfProgram(world.program), mask: mask.apply }));
  return code;
}

async function execute(session: Session, command: Command, args: Arguments, raw: RawInputs): Promise<number> {
  const { world, terminal, mask } = session;
  let inputs: ReturnType<typeof parseInputs>;
  try {
    inputs = parseInputs(command.inputs, raw, { name: cliSpelling, hint: helpHint(command) });
  } catch (error) {
    return failWith(session, error, error instanceof UserError ? EXIT.usage : EXIT.failed);
  }
  const { signal, env, cwd, fetch, program, now } = world;
  const exec = createExec({ env: world.environment, cwd, signal });
  const attach = createAttach(world.environment, cwd);
  const host = { kind: 'terminal', log: terminal.log, exec, attach, signal, env, cwd, fetch, program } as const;
  try {
    const result = await runCommand(command, inputs, { ...host, now, hide: mask.apply }, tmpdir());
    terminal.close();
    await print(world, renderResult(result, args.json, mask.applyToResult));
    if (result.failure !== undefined) throw result.failure;
    return result.exitCode ?? EXIT.done;
  } catch (error) {
    return failWith(session, error, exitCodeOf(error, signal));
  }
}

function openSession(world: World, verbose: boolean): Session {
  const mask = createMask();
  const colour = wantsColour(world.stderr, world.env);
  // A dumb terminal cannot take a line back.
  const live = world.stderr.isTTY === true && world.env('TERM') !== 'dumb';
  const terminal = createTerminal({ stderr: world.stderr, mask, now: world.now, colour, verbose, live });
  return { world, terminal, mask };
}

async function runNamed(
  loaders: CommandLoaders,
  name: string,
  words: readonly string[],
  world: World,
): Promise<number> {
  const command = await loadCommand(loaders, name);
  const args = readArguments(command, words);
  if (args.help) await print(world, renderCommandHelp(command, widthOf(world.stdout)));
  if (args.version) await print(world, `nix-images ${VERSION}`);
  if (args.help || args.version) return EXIT.done;
  const session = openSession(world, args.verbose);
  const raw = await withSecrets(command, args, world);
  maskSecrets(command.inputs, raw, session.terminal.log.mask);
  return await execute(session, command, args, raw);
}

/** Runs the command line: `nix-images COMMAND ARGUMENTS`. Returns the exit code; never throws. */
export async function runCli(loaders: CommandLoaders, world: World): Promise<number> {
  const [name, ...words] = world.argv;
  try {
    if (name === undefined) {
      world.stderr.write(renderProgramHelp(await loadAll(loaders), widthOf(world.stderr)));
      return EXIT.usage;
    }
    if (name === '--help' || name === '-h') {
      await print(world, renderProgramHelp(await loadAll(loaders), widthOf(world.stdout)));
      return EXIT.done;
    }
    if (name === '--version') {
      await print(world, `nix-images ${VERSION}`);
      return EXIT.done;
    }
    if (name === 'completion') {
      // Loaded only here: no other command starts later for it.
      const { renderCompletion } = await import('./completion/completion.ts');
      await print(world, renderCompletion(words[0], await loadAll(loaders)));
      return EXIT.done;
    }
    return await runNamed(loaders, name, words, world);
  } catch (error) {
    const known = asUserError(error, world.signal);
    return failWith(openSession(world, false), known, exitCodeOf(known, world.signal));
  }
}
