import { UserError } from '../core/error.ts';
import type { ExecOptions, ExecResult } from '../core/exec.ts';

export type Program = 'podman' | 'docker';

/** A program that runs containers on this machine. */
export interface Runtime {
  readonly program: Program;
  /** Such as `podman 4.3.1`. */
  readonly label: string;
  /** The network in which a port can be published; undefined for the program's own choice. */
  readonly network: string | undefined;
  /** Options that give a container a user namespace of its own, none where all have one; undefined where it cannot be had. */
  readonly userNamespace: readonly string[] | undefined;
  /** Runs a command of the program, such as `['rm', NAME]`, as `Exec` does. */
  readonly run: (args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;
}

/** Seconds to take back one container or image: storage may be busy with another build. */
const CLEANUP_LIMIT = 30;

/** Runs a command of the program that must go well. Throws UserError `test` with what it said. */
export async function callRuntime(runtime: Runtime, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const { program, run } = runtime;
  const { exitCode, stdout, stderr } = await run(args, { signal });
  if (exitCode === 0) return stdout;
  throw new UserError('test', `${program} ${args[0]} failed: ${stderr.trim() || `it ended with ${exitCode}`}`, {
    hint: `Does ${program} run containers on this machine? Choose another with --test-with, or none to leave the tests out.`,
    docs: 'tests.md#when-they-run-and-where',
  });
}

async function cleanUp({ run }: Runtime, args: readonly string[]): Promise<void> {
  await run(args, { cleanup: true, signal: AbortSignal.timeout(CLEANUP_LIMIT * 1000) }).catch(() => undefined);
}

/** Ends and removes a container with its volumes, also while the run is being stopped; whether it is there or not. */
export const removeContainer = (runtime: Runtime, name: string): Promise<void> =>
  cleanUp(runtime, ['rm', '--force', '--volumes', name]);

/** Removes an image by its name; what the machine knows by another name stays. */
export const removeImage = (runtime: Runtime, name: string): Promise<void> =>
  cleanUp(runtime, ['rmi', '--force', name]);

/** Removes a volume, if it is there. */
export const removeVolume = (runtime: Runtime, name: string): Promise<void> =>
  cleanUp(runtime, ['volume', 'rm', '--force', name]);
