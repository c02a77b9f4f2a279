import { runCli } from './cli.ts';
import type { CommandLoaders } from './command.ts';
import { EXIT } from './failure.ts';
import { openFetch } from './process-fetch.ts';
import { actionOf, runAction } from './runner.ts';
import type { World } from './world.ts';

/** Milliseconds after which a finished program ends even if a socket or a child is still open. */
const LINGER = 5000;

/** A signal that fires on Ctrl-C and on the runner's cancellation; a second one ends the program at once. */
function watchInterrupts(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write(`\n${name}: stopping; once more stops at once\n`);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
}

/** A world of what one process has and another has not; the network is the same in all. */
export function openWorld(parts: Omit<World, 'env' | 'now' | 'fetch'>): World {
  const env = (name: string): string | undefined => parts.environment[name] || undefined;
  return { ...parts, env, now: () => performance.now(), fetch: openFetch(env) };
}

const worldOfProcess = (program: URL): World =>
  openWorld({
    argv: process.argv.slice(2),
    cwd: process.cwd(),
    environment: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    program,
    signal: watchInterrupts(),
  });

async function runFace(commands: CommandLoaders, world: World): Promise<number> {
  const action = actionOf(world);
  if (action === undefined) return await runCli(commands, world);
  // Loaded only here: it brings 400 kB of HTTP client that the command line has no use for.
  return await runAction(commands, action, world, await import('@actions/core'));
}

/** Runs what argv or the action's entry asks for, and sets the exit code of the process. `program` is its entry. */
export async function start(commands: CommandLoaders, program: URL): Promise<void> {
  // `nix-images inspect … | head` closes the pipe early: that is not a failure, and nobody is left to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed),
  );
  process.exitCode = await runFace(commands, worldOfProcess(program));
  setTimeout(() => process.exit(), LINGER).unref();
}
