import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unmountBelow } from './mounts.ts';
import { memoryTempDir, type ProgramResult, programPath, runProgram, type TempDir, uniqueTempDir } from './tools.ts';

/**
 * A containers.conf for machines where podman's defaults fail, themselves containers mostly: hard limits that may not be raised
 * (podman asks for 1048576 files), cgroups of version 1 (crun refuses them; runc does not), no bridge network.
 */
export const CONFINED_CONTAINERS_CONF = `[engine]
runtime = "runc"
[containers]
default_ulimits = [ "nofile=4096:4096", "nproc=4096:4096" ]
netns = "none"
`;

export interface Podman extends AsyncDisposable {
  /** What a program needs in its environment to be, or to call, this podman. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether containers run here only with CONFINED_CONTAINERS_CONF; `env` then names a file of it. */
  readonly confined: boolean;
  /** Runs `podman ARGS`, for instance `run(['run', '--rm', 'oci:DIR:TAG', 'uname', '-m'])`. */
  run(args: readonly string[]): Promise<ProgramResult>;
  /** Ends its containers, unmounts and deletes everything. */
  remove(): Promise<void>;
}

/**
 * In the order of preference: overlay fails where the folder is on an overlay itself. In memory images of thousands of small
 * files come and go in a tenth of the time; vfs would copy them there for each container.
 */
const ATTEMPTS = [
  { driver: 'overlay', confined: false, folder: memoryTempDir },
  { driver: 'overlay', confined: true, folder: memoryTempDir },
  { driver: 'overlay', confined: false, folder: uniqueTempDir },
  { driver: 'overlay', confined: true, folder: uniqueTempDir },
  { driver: 'vfs', confined: false, folder: uniqueTempDir },
  { driver: 'vfs', confined: true, folder: uniqueTempDir },
] as const;

type Attempt = (typeof ATTEMPTS)[number];

/**
 * A podman with images and containers of its own, in a temporary folder. What it needs on this machine is found by running a
 * container once (half a second). Throws with what podman said to each attempt when nothing works.
 */
export async function preparePodman(): Promise<Podman> {
  const refusals: string[] = [];
  for (const attempt of ATTEMPTS) {
    const podman = await openPodman(attempt);
    const refusal = await tryOut(podman);
    if (refusal === undefined) return podman;
    await podman.remove();
    refusals.push(`${attempt.driver}${attempt.confined ? ', confined' : ''}, ${podman.directory}: ${refusal}`);
  }
  throw new Error(`podman runs no container on this machine:\n${refusals.join('\n')}`);
}

interface PodmanIn extends Podman {
  readonly directory: string;
}

async function openPodman({ driver, confined, folder }: Attempt): Promise<PodmanIn> {
  const directory = await folder('podman');
  const storage = join(directory.path, 'storage.conf');
  const graph = `graphroot = "${directory.path}/graph"\nrunroot = "${directory.path}/run"\n`;
  await writeFile(storage, `[storage]\ndriver = "${driver}"\n${graph}`);
  const env: Record<string, string> = { CONTAINERS_STORAGE_CONF: storage };
  if (confined) {
    env.CONTAINERS_CONF = join(directory.path, 'containers.conf');
    await writeFile(env.CONTAINERS_CONF, CONFINED_CONTAINERS_CONF);
  }
  const run = (args: readonly string[]): Promise<ProgramResult> => runProgram('podman', args, { env });
  const remove = (): Promise<void> => removePodman(directory, run);
  return { directory: directory.path, env, confined, run, remove, [Symbol.asyncDispose]: remove };
}

/** Why a container of the machine's static busybox does not run; undefined when it does. */
async function tryOut(podman: PodmanIn): Promise<string | undefined> {
  const root = join(podman.directory, 'probe');
  const tarball = join(podman.directory, 'probe.tar');
  const image = 'localhost/probe:latest';
  await mkdir(join(root, 'bin'), { recursive: true });
  await copyFile(programPath('busybox'), join(root, 'bin/busybox'));
  const steps = [
    () => runProgram('tar', ['-C', root, '-cf', tarball, '.']),
    () => podman.run(['import', '--quiet', tarball, image]),
    () => podman.run(['run', '--rm', image, '/bin/busybox', 'true']),
    () => podman.run(['rmi', '--force', image]),
  ];
  for (const step of steps) {
    const { exitCode, stderr } = await step();
    if (exitCode !== 0) return stderr.trim().split('\n').at(-1) ?? `exit ${exitCode}`;
  }
  return undefined;
}

async function removePodman(directory: TempDir, run: Podman['run']): Promise<void> {
  await run(['rm', '--all', '--force', '--time', '0']);
  // What tidies up after a container would mount and make again what is taken away under it.
  for (let left = TIDYING_LOOKS; left > 0 && (await isNamedByProcess(directory.path)); left -= 1) await sleep(100);
  if (process.getuid?.() === 0) {
    await unmountBelow(directory.path);
  } else {
    // Files of a container's other users belong to this one only inside its user namespace.
    await run(['unshare', 'rm', '-rf', join(directory.path, 'graph'), join(directory.path, 'run')]);
  }
  await directory.remove();
}

/** Looks, a tenth of a second apart, at whether conmon and the podman that it calls at a container's end are still there. */
const TIDYING_LOOKS = 200;

/** Whether the command line of any process names the folder. */
async function isNamedByProcess(folder: string): Promise<boolean> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // One that has ended meanwhile names nothing.
  const lines = processes.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => ''));
  return (await Promise.all(lines)).some((line) => line.includes(`${folder}/`));
}
