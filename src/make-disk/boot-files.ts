import { open } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { fileError, isMissing } from '../core/file-error.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { storePathOf } from '../definition/store-path.ts';
import { bootFileOf } from '../oci/efi.ts';
import type { System } from '../oci/system.ts';
import { type Executable, HEAD_BYTES, readExecutable } from './executable.ts';
import { initrdSystem } from './initrd-system.ts';

/** A file of the definition, and what it is there for. */
interface BootFile {
  readonly path: string;
  readonly what: string;
  /** A marker, which needs no content. Default: false. */
  readonly mayBeEmpty?: boolean;
}

/**
 * Looks at what the disk boots with before anything is made of it: that all of it is there, and for the system of the disk. Throws UserError
 * `input` that names the file, what it is instead, and what to do.
 */
export async function checkBootFiles({ boot, espFiles, system }: DiskDefinition): Promise<void> {
  if (boot.loader === 'uki') {
    const kernel = { path: boot.kernel, what: 'the kernel' };
    checkKernel(kernel, await readHead(kernel), system);
    const stub = { path: boot.stub, what: 'the EFI stub' };
    checkProgram(stub, readExecutable(await readHead(stub)), system);
    if (boot.initrd !== null) {
      const initrd = { path: boot.initrd, what: 'the initrd' };
      await readHead(initrd);
      await checkInitrd(initrd, system);
    }
  }
  for (const [name, file] of Object.entries(espFiles)) {
    if (file.type !== 'source') continue;
    const isLoader = name.toUpperCase() === bootFileOf(system);
    const source = { path: file.source, what: `${name} of the EFI system partition`, mayBeEmpty: !isLoader };
    const head = await readHead(source);
    if (isLoader) checkProgram(source, readExecutable(head), system);
  }
}

/** The first bytes of a file that must be there, and not empty. */
async function readHead({ path, what, mayBeEmpty = false }: BootFile): Promise<Buffer> {
  try {
    await using file = await open(path);
    const stats = await file.stat();
    if (!stats.isFile()) throw new UserError('input', `${what} ${path} is not a file`, { hint: HINT_FILE });
    if (stats.size === 0 && !mayBeEmpty) throw new UserError('input', `${what} ${path} is empty`, { hint: HINT_FILE });
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    return head.subarray(0, bytesRead);
  } catch (error) {
    if (!isMissing(error)) throw fileError(error, path, 'read');
    throw new UserError(
      'input',
      `${what} is missing: ${storePathOf(path)} has no ${path.slice(storePathOf(path).length + 1)}`,
      {
        hint: HINT_FILE,
      },
    );
  }
}

const HINT_FILE =
  'Name a file that its derivation has: bzImage or Image of a kernel, initrd of an initial ramdisk, a file of systemd.';

function checkKernel(file: BootFile, head: Buffer, system: System): void {
  const found = readExecutable(head);
  if (found.format === 'pe') checkProgram(file, found, system);
  else if (found.format === 'bzImage' || found.format === 'arm64 Image') {
    throw new UserError(
      'input',
      `${file.what} ${file.path} has no EFI stub, so a unified kernel image with it does not start`,
      {
        hint: 'Build the kernel with CONFIG_EFI_STUB.',
      },
    );
  } else if (found.format === 'gzip') {
    throw new UserError('input', `${file.what} ${file.path} is compressed, which EFI does not unpack`, {
      hint: 'Name the uncompressed file: Image, not Image.gz.',
    });
  } else checkProgram(file, found, system);
}

/** What firmware starts has to be a PE file for its own machine. */
function checkProgram({ what, path }: BootFile, { format, machine, system: found }: Executable, system: System): void {
  if (format !== 'pe') {
    const kind =
      format === 'ELF' ? `an ELF file for ${machine}` : format === 'unknown' ? 'something else' : `a ${format} file`;
    throw new UserError('input', `${what} ${path} is not a program for EFI but ${kind}`, {
      hint: 'A kernel for EFI is bzImage on x86-64 and Image on AArch64; stub and boot loader are files of systemd.',
    });
  }
  if (found !== system) {
    throw new UserError('input', `${what} ${path} is for ${machine}, but the disk is for ${system}`, {
      hint: "Take it from the package set of the disk's system, also where the disk is built on another one.",
    });
  }
}

async function checkInitrd({ what, path }: BootFile, system: System): Promise<void> {
  const found = await initrdSystem(path);
  if (found.kind === 'unknown') {
    throw new UserError(
      'input',
      `${what} ${path} is not an initrd: neither a cpio archive nor one that is compressed as kernels know it`,
      {
        hint: 'Name the file initrd of an initial ramdisk, not one beside it.',
      },
    );
  }
  if (found.kind === 'program' && found.system !== system) {
    throw new UserError(
      'input',
      `${what} ${path} has programs for ${found.machine} (${found.name}), but the disk is for ${system}`,
      {
        hint: "Take it from the package set of the disk's system, also where the disk is built on another one.",
      },
    );
  }
}
