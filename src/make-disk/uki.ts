import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { withFileErrors } from '../core/file-error.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { efiArchitecture } from '../oci/efi.ts';
import type { System } from '../oci/system.ts';
import { kernelRelease } from './kernel-release.ts';
import { runTool } from './run-tool.ts';

type UkiBoot = Extract<DiskDefinition['boot'], { loader: 'uki' }>;

interface UkiInput {
  readonly boot: UkiBoot;
  readonly system: System;
  readonly ukify: string;
  /** Root hash of the store's dm-verity, in hexadecimal digits; undefined without it. */
  readonly rootHash: string | undefined;
  /** Folder for the files that ukify reads and writes. */
  readonly folder: string;
}

/**
 * The kernel's command line. With dm-verity, what activates it in the initrd finds store and tree by the two halves of the root hash, which are the
 * UUIDs of their partitions (systemd-veritysetup-generator(8), `usrhash=`; nix-store-veritysetup-generator, `storehash=`).
 */
const commandLine = ({ boot, rootHash }: Pick<UkiInput, 'boot' | 'rootHash'>): string =>
  [boot.cmdline, ...(rootHash === undefined ? [] : [`${boot.verityArgument}=${rootHash}`])]
    .filter((word) => word !== '')
    .join(' ');

/** Has ukify join kernel, initrd and command line to one program for EFI, and gives its file. Throws UserError `build`. */
export async function makeUki(exec: Effects['exec'], input: UkiInput): Promise<string> {
  const { boot, system, ukify, folder } = input;
  const output = join(folder, 'uki.efi');
  // In files: ukify takes a text that begins with @ for the name of one.
  const texts = { cmdline: commandLine(input), 'os-release': boot.osRelease, 'ukify.conf': '' };
  for (const [name, text] of Object.entries(texts)) {
    await withFileErrors(join(folder, name), 'write', () => writeFile(join(folder, name), text));
  }
  const args = [
    'build',
    // Empty, so that no /etc/systemd/ukify.conf of the machine is read, which could sign or add sections.
    `--config=${join(folder, 'ukify.conf')}`,
    `--linux=${boot.kernel}`,
    ...(boot.initrd === null ? [] : [`--initrd=${boot.initrd}`]),
    `--cmdline=@${join(folder, 'cmdline')}`,
    `--os-release=@${join(folder, 'os-release')}`,
    // Always said, if only that it is not known: ukify itself would ask readelf, or whatever is on the machine.
    `--uname=${boot.uname ?? (await kernelRelease(boot.kernel)) ?? ''}`,
    `--efi-arch=${efiArchitecture(system)}`,
    `--stub=${boot.stub}`,
    `--output=${output}`,
  ];
  await runTool(exec, { program: ukify, args, makes: 'the unified kernel image' });
  return output;
}
