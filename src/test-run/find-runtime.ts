import { randomUUID } from 'node:crypto';
import { UserError } from '../core/error.ts';
import type { Exec, ExecResult } from '../core/exec.ts';
import type { Log } from '../core/log.ts';
import { endBlocks, fileHeader } from '../tar/header.ts';
import { type Program, type Runtime, removeContainer, removeImage } from './runtime.ts';

/** What may be asked for. */
export const TEST_WITH_CHOICES = ['auto', 'podman', 'docker', 'none'] as const;

export type TestWith = (typeof TEST_WITH_CHOICES)[number];

/** In this order they are looked for: podman needs no daemon and no rights. */
const PROGRAMS: readonly Program[] = ['podman', 'docker'];

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

/** docker's client alone, without its daemon, fails here. */
const PROBE: Record<Program, readonly string[]> = {
  podman: ['info', '--format', '{{.Version.Version}} {{.Host.Security.Rootless}}'],
  docker: ['version', '--format', '{{.Server.Version}}'],
};

/**
 * A user namespace for podman with root. The first numbers above those that a machine's own users have by convention; nothing
 * but the tests' containers, which end with them, gets files of these owners.
 */
const OWN_NAMESPACE = ['--uidmap=0:100000:65536', '--gidmap=0:100000:65536'];

/** What docker says of its daemon where every container is in a user namespace: `userns-remap`, or a daemon without root. */
const ALL_IN_NAMESPACES = /name=(userns|rootless)\b/;

/** What a program says that has started a container and found no program `PROBED` in it; the same for both. */
const NOT_FOUND = 127;
const PROBED = '/missing';

/**
 * Finds a program that runs containers; undefined where there is none, and the log says why. Throws UserError `input`
 * when one is asked for by name that cannot be used.
 */
export async function findRuntime(
  asked: Exclude<TestWith, 'none'>,
  exec: Exec,
  log: Log,
): Promise<Runtime | undefined> {
  for (const program of asked === 'auto' ? PROGRAMS : [asked]) {
    const answer = await probe(program, exec);
    if ('runtime' in answer) return answer.runtime;
    if (asked !== 'auto') {
      throw new UserError('input', `cannot run the tests with ${program}: ${answer.why}`, {
        hint: `Make ${program} ready, or leave the choice to --test-with auto.`,
      });
    }
    log.info(`${program} is not used: ${answer.why}`);
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
  if (result.exitCode !== 0 || !version || !/^[\w.+~-]+$/.test(version)) return { why: lastLine(result) };
  // A machine's default may be no network at all; without root, podman knows best what it can do.
  const network = program === 'podman' && rootless === 'true' ? undefined : 'bridge';
  const userNamespace = await namespaceOptions(program, rootless === 'true', run);
  const runtime = { program, label: `${program} ${version}`, network, userNamespace, run };
  const refusal = await tryOut(runtime);
  return refusal === undefined ? { runtime } : { why: refusal };
}

async function namespaceOptions(
  program: Program,
  rootless: boolean,
  run: Runtime['run'],
): Promise<readonly string[] | undefined> {
  if (program === 'podman') return rootless ? [] : OWN_NAMESPACE;
  const { stdout } = await run(['info', '--format', '{{json .SecurityOptions}}']);
  return ALL_IN_NAMESPACES.test(stdout) ? [] : undefined;
}

/**
 * Why an empty container does not start; undefined when it does. A program that is installed may have no rights, storage
 * or kernel for it, within another container above all, and that must not look as if an image's tests failed.
 */
async function tryOut(runtime: Runtime): Promise<string | undefined> {
  const name = `nix-images-probe-${randomUUID()}`;
  const image = `localhost/${name}:latest`;
  const start = ['run', `--name=${name}`, '--pull=never', '--network=none', '--log-driver=none', image, PROBED];
  // No other image has this content, so removing it takes nobody else's.
  const tar = Buffer.concat([fileHeader(`${name}/`, 0), endBlocks()]);
  try {
    const imported = await runtime.run(['import', '-', image], { input: tar });
    if (imported.exitCode !== 0) return lastLine(imported);
    const started = await runtime.run(start);
    return started.exitCode === NOT_FOUND ? undefined : lastLine(started);
  } finally {
    await removeContainer(runtime, name);
    await removeImage(runtime, image);
  }
}

const lastLine = ({ exitCode, stderr }: ExecResult): string =>
  stderr.trim().split('\n').at(-1) || `it ended with ${exitCode}`;
