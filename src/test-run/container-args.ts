import { shellWord } from '../core/shell.ts';
import type { TestStep } from '../definition/image-tests.ts';
import type { ContainerConfig } from '../oci/container-config.ts';
import type { OciPlatform } from '../oci/descriptor.ts';
import { platformText } from '../oci/system.ts';
import type { Program, Runtime } from './runtime.ts';

/** A container of a test, before it is there. */
export interface ContainerPlan {
  /** Unique on this machine. */
  readonly container: string;
  /** What the names of the image's volumes begin with on this machine. */
  readonly volumes: string;
  /** Name of the loaded image. */
  readonly image: string;
  readonly platform: OciPlatform;
}

/** Whether a step of a test looks into the image without starting anything. */
export const onlyLooks = ({ command, entrypoint, exitCode, stdout, stderr, stdin, port, files }: TestStep): boolean =>
  Object.keys(files).length > 0 &&
  exitCode === 0 &&
  [command, entrypoint, stdout, stderr, stdin, port].every((value) => value === null);

/** What runs in a test's container: the image's own words where the test has none. */
export function commandLine({ command, entrypoint }: TestStep, { Entrypoint, Cmd }: ContainerConfig): string[] {
  if (entrypoint) return [...entrypoint, ...(command ?? [])];
  return [...(Entrypoint ?? []), ...(command ?? Cmd ?? [])];
}

/** The same as a person would type it. */
export const typed = (words: readonly string[]): string => words.map(shellWord).join(' ');

/** Arguments for `podman run` and `docker run`, whose spellings agree on all of these. */
export function runArgs(step: TestStep, runtime: Runtime, plan: ContainerPlan): string[] {
  const { command, entrypoint, user, workdir, env, stdin, port } = step;
  const { network } = runtime;
  const words = [...(entrypoint ?? []), ...(command ?? [])];
  // The programs take one word as entrypoint; what follows it are arguments, and the image's own Cmd is left out.
  const [program, rest] = entrypoint ? [words.slice(0, 1), words.slice(1)] : [[], words];
  const online = [...(network ? [`--network=${network}`] : []), `--publish=127.0.0.1::${port?.number}/tcp`];
  return [
    'run',
    ...containerArgs(step, runtime, plan),
    ...(port ? online : ['--network=none']),
    ...(stdin === null ? [] : ['--interactive']),
    ...(user === null ? [] : [`--user=${user}`]),
    ...(workdir === null ? [] : [`--workdir=${workdir}`]),
    ...Object.entries(env).map(([name, value]) => `--env=${name}=${value}`),
    ...program.map((word) => `--entrypoint=${word}`),
    plan.image,
    ...rest,
  ];
}

/** Arguments that make a container which is only looked into; the entrypoint is never run, but an image may have none. */
export const createArgs = (step: TestStep, runtime: Runtime, plan: ContainerPlan): string[] => [
  'create',
  ...containerArgs(step, runtime, plan),
  '--network=none',
  '--entrypoint=/',
  plan.image,
];

/** The name of a volume on this machine. */
export const volumeName = (prefix: string, name: string): string => `${prefix}-${name}`;

const containerArgs = (step: TestStep, runtime: Runtime, { container, platform, volumes }: ContainerPlan): string[] => [
  `--name=${container}`,
  '--pull=never',
  `--platform=${platformText(platform)}`,
  // What a container says is read while it runs; a log besides could fill the disk.
  '--log-driver=none',
  '--no-healthcheck',
  // Removed at once when it is ended: nothing in it is worth keeping.
  '--stop-timeout=0',
  ...limitArgs(step, runtime),
  ...Object.entries(step.tmpfs).map(([path, { mode, exec }]) => {
    const options = [
      'rw',
      'nosuid',
      'nodev',
      exec ? 'exec' : 'noexec',
      `mode=${mode}`,
      ...EMPTY_TMPFS[runtime.program],
    ];
    return `--tmpfs=${path}:${options.join(',')}`;
  }),
  ...Object.entries(step.volumes).map(([path, { name, copy, readOnly }]) => {
    const options = [readOnly ? 'ro' : 'rw', ...(copy ? [] : ['nocopy'])];
    return `--volume=${volumeName(volumes, name)}:${path}:${options.join(',')}`;
  }),
];

/** Only podman's tmpfs begins with the image's files, unless told. */
const EMPTY_TMPFS: Readonly<Record<Program, readonly string[]>> = { podman: ['notmpcopyup'], docker: [] };

/** Only podman's read-only containers have a writable /tmp and /run, unless told. */
const READ_ONLY: Readonly<Record<Program, readonly string[]>> = {
  podman: ['--read-only', '--read-only-tmpfs=false'],
  docker: ['--read-only'],
};

const limitArgs = (
  { readOnly, capabilities, noNewPrivileges, userNamespace }: TestStep,
  runtime: Runtime,
): string[] => [
  ...(readOnly ? READ_ONLY[runtime.program] : []),
  ...capabilities.drop.map((name) => `--cap-drop=${name}`),
  ...capabilities.add.map((name) => `--cap-add=${name}`),
  ...(noNewPrivileges ? ['--security-opt=no-new-privileges'] : []),
  ...((userNamespace && runtime.userNamespace) || []),
];
