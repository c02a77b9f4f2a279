import type { ContainerConfig } from '../image/definition.ts';
import type { OciPlatform } from '../image/descriptor.ts';
import type { ImageTest } from '../image/image-tests.ts';
import { platformText } from '../image/system.ts';
import type { Runtime } from './runtime.ts';

/** A test's container, before it is there. */
export interface ContainerPlan {
  /** Unique on this machine. */
  readonly container: string;
  /** Name of the loaded image. */
  readonly image: string;
  readonly platform: OciPlatform;
}

/** Whether a test looks into the image without starting anything. */
export const onlyLooks = ({ command, entrypoint, exitCode, stdout, stderr, stdin, port, files }: ImageTest): boolean =>
  Object.keys(files).length > 0 &&
  exitCode === 0 &&
  [command, entrypoint, stdout, stderr, stdin, port].every((value) => value === null);

/** What runs in a test's container: the image's own words where the test has none. */
export function commandLine({ command, entrypoint }: ImageTest, { Entrypoint, Cmd }: ContainerConfig): string[] {
  if (entrypoint) return [...entrypoint, ...(command ?? [])];
  return [...(Entrypoint ?? []), ...(command ?? Cmd ?? [])];
}

/** The same as a person would type it. */
export const typed = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');

/** Arguments for `podman run` and `docker run`, whose spellings agree on all of these. */
export function runArgs(test: ImageTest, { network }: Runtime, plan: ContainerPlan): string[] {
  const { command, entrypoint, user, workdir, env, stdin, port } = test;
  const words = [...(entrypoint ?? []), ...(command ?? [])];
  // The programs take one word as entrypoint; what follows it are arguments, and the image's own Cmd is left out.
  const [program, rest] = entrypoint ? [words.slice(0, 1), words.slice(1)] : [[], words];
  const online = [...(network ? [`--network=${network}`] : []), `--publish=127.0.0.1::${port?.number}/tcp`];
  return [
    'run',
    ...containerArgs(plan),
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
export const createArgs = (plan: ContainerPlan): string[] => [
  'create',
  ...containerArgs(plan),
  '--network=none',
  '--entrypoint=/',
  plan.image,
];

const containerArgs = ({ container, platform }: ContainerPlan): string[] => [
  `--name=${container}`,
  '--pull=never',
  `--platform=${platformText(platform)}`,
  // What a container says is read while it runs; a log besides could fill the disk.
  '--log-driver=none',
  '--no-healthcheck',
  // Removed at once when it is ended: nothing in it is worth keeping.
  '--stop-timeout=0',
];
