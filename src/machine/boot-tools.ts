import { access, constants } from 'node:fs/promises';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { System } from '../oci/system.ts';

/** What boots disks of a system and enlarges them, as Debian and Ubuntu call it. */
const PACKAGES: Readonly<Record<System, readonly string[]>> = {
  'x86_64-linux': ['qemu-system-x86', 'ovmf', 'qemu-utils'],
  'aarch64-linux': ['qemu-system-arm', 'qemu-efi-aarch64', 'qemu-utils'],
};

interface Tools extends Pick<Effects, 'exec' | 'log'> {
  /** What runs a program as root: empty for root, `sudo -n` elsewhere. */
  readonly asRoot: readonly string[];
}

/**
 * Installs what boots disks of `systems`, by apt. What cannot be installed is a warning: the tests of disks are left out
 * then, or fail where they are required, with a reason of their own.
 */
export async function installBootTools(systems: readonly System[], { exec, log, asRoot }: Tools): Promise<void> {
  const packages = [...new Set(systems.flatMap((system) => PACKAGES[system]))];
  log.info(`installing ${packages.join(', ')}, which boot disks for ${systems.join(', ')}`);
  // The lists of a runner are as old as its image, and name packages that are gone from the mirror.
  for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]]) {
    // sudo passes no variables on.
    const command = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '--quiet', ...args];
    const why = await whyFailed(command, exec);
    if (why === undefined) continue;
    log.warn(`${packages.join(', ')} cannot be installed: ${why}`);
    return;
  }
}

/**
 * Opens KVM's device to this user where it is there and closed, as on GitHub's runners. Whether guests run under it is found
 * out by whoever boots one. `may` tells what this user may do with a file.
 */
export async function openKvm(device: string, { exec, log, asRoot }: Tools, may = mayAccess): Promise<void> {
  if (!(await may(device, constants.F_OK)) || (await may(device, constants.R_OK | constants.W_OK))) return;
  const why = await whyFailed([...asRoot, 'chmod', '0666', device], exec);
  if (why !== undefined) log.warn(`${device} cannot be opened to this user: ${why}`);
}

/** What a program said last that failed or is missing; undefined where it did its work. */
async function whyFailed(
  [program = '', ...args]: readonly string[],
  exec: Effects['exec'],
): Promise<string | undefined> {
  try {
    const { exitCode, stderr } = await exec(program, args);
    return exitCode === 0 ? undefined : stderr.trim().split('\n').at(-1);
  } catch (error) {
    if (error instanceof UserError && error.code === 'file') return error.message;
    throw error;
  }
}

const mayAccess = (file: string, mode: number): Promise<boolean> =>
  access(file, mode).then(
    () => true,
    () => false,
  );
