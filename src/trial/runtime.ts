import { UserError } from '../io/error.ts';
import type { Exec, ExecOptions, ExecResult } from '../io/exec.ts';

/** What may be asked for. */
export const TEST_WITH_CHOICES = ['auto', 'podman', 'docker', 'none'] as const;

export type TestWith = (typeof TEST_WITH_CHOICES)[number];

/** In this order they are looked for: podman needs no daemon and no rights. */
const PROGRAMS = ['podman', 'docker'] as const;

export type Program = (typeof PROGRAMS)[number];

/** A program that runs containers on this machine. */
export interface Runtime {
  readonly program: Program;
  /** Such as `podman 4.3.1`. */
  readonly label: string;
  /** The network in which a port can be published; undefined for the program's own choice. */
  readonly network: string | undefined;
  /** Runs a command of the program, such as `['rm', NAME]`, as `Exec` does. */
  readonly run: (args: readonly string[], options?: ExecOptions) => Promise<ExecResult>;
}

/** Seconds to take back one container or image: storage may be busy with another build. */
const CLEANUP_LIMIT = 30;

/** podman's warnings about the machine must not mix with what a container says. */
const QUIET: Record<Program, readonly string[]> = { podman: ['--log-level=error'], docker: [] };

/**
 * No registry is asked, so podman needs no credentials, and refuses to start where these name a file that is not there.
 * docker finds its daemon by its own configuration.
 */
const ENVIRONMENT: Record<Program, Readonly<Record<string, string>>> = {
  podman: { DOCKER_CONFIG: '', REGISTRY_AUTH_FILE: '' },
  docker: {},
};

/** Answers only where containers can be had: docker's client alone, without its daemon, fails here. */
const PROBE: Record<Program, readonly string[]> = {
  podman: ['info', '--format', '{{.Version.Version}} {{.Host.Security.Rootless}}'],
  docker: ['version', '--format', '{{.Server.Version}}'],
};

/**
 * Finds a program that runs containers; undefined where there is none. Throws UserError `input` when one is asked for by
 * name that is not there or does not answer.
 */
export async function findRuntime(asked: Exclude<TestWith, 'none'>, exec: Exec): Promise<Runtime | undefined> {
  for (const program of asked === 'auto' ? PROGRAMS : [asked]) {
    const answer = await probe(program, exec);
    if ('runtime' in answer) return answer.runtime;
    if (asked !== 'auto') {
      throw new UserError('input', `tests are to run with ${program}, which cannot be used here: ${answer.why}`, {
        hint: `Make ${program} ready, or leave the choice to --test-with auto.`,
      });
    }
  }
  return undefined;
}

async function probe(program: Program, exec: Exec): Promise<{ readonly runtime: Runtime } | { readonly why: string }> {
  const run: Runtime['run'] = (args, options = {}) =>
    exec(program, [...QUIET[program], ...args], { ...options, env: ENVIRONMENT[program] });
  let result: ExecResult;
  try {
    result = await run(PROBE[program]);
  } catch (error) {
    if (error instanceof UserError && error.code === 'file') return { why: error.message };
    throw error;
  }
  const [version, rootless] = result.stdout.trim().split(' ');
  if (result.exitCode !== 0 || !version || !/^[\w.+~-]+$/.test(version))
    return { why: result.stderr.trim().split('\n').at(-1) || `it ended with ${result.exitCode}` };
  // A machine's default may be no network at all; without root, podman knows best what it can do.
  const network = program === 'podman' && rootless === 'true' ? undefined : 'bridge';
  return { runtime: { program, label: `${program} ${version}`, network, run } };
}

/** Runs a command of the program that must go well. Throws UserError `test` with what it said. */
export async function callRuntime(runtime: Runtime, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const { program, run } = runtime;
  const { exitCode, stdout, stderr } = await run(args, { signal });
  if (exitCode === 0) return stdout;
  throw new UserError('test', `${program} ${args[0]} failed: ${stderr.trim() || `it ended with ${exitCode}`}`, {
    hint: `Does ${program} run containers on this machine? Choose another with --test-with, or none to leave the tests out.`,
  });
}

const cleanUp = async ({ run }: Runtime, args: readonly string[]): Promise<void> => {
  await run(args, { cleanup: true, signal: AbortSignal.timeout(CLEANUP_LIMIT * 1000) }).catch(() => undefined);
};

/** Ends and removes a container with its volumes, also while the run is being stopped; whether it is there or not. */
export const removeContainer = (runtime: Runtime, name: string): Promise<void> =>
  cleanUp(runtime, ['rm', '--force', '--volumes', name]);

/** Removes an image by its name; what the machine knows by another name stays. */
export const removeImage = (runtime: Runtime, name: string): Promise<void> =>
  cleanUp(runtime, ['rmi', '--force', name]);
