import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { fileError } from '../core/file-error.ts';
import { checkSpace, type FreeSpace } from '../core/free-space.ts';
import { checkUnpacked } from '../core/unpack-limit.ts';
import { unpack } from '../oci/unpack.ts';
import { diskDamage } from './disk-damage.ts';
import { checkUnpackedDisk } from './disk-limit.ts';
import { SparseWriter } from './sparse-writer.ts';

/** What a disk's file may be packed with, by the end of its name. */
export const DISK_PACKINGS = { '.zst': 'zstd', '.gz': 'gzip', '.xz': 'xz' } as const;

export type DiskPacking = (typeof DISK_PACKINGS)[keyof typeof DISK_PACKINGS];

/** Bytes that come out of a decompressor at once: most of the time goes into each step. */
const CHUNK = 256 * 1024;

/** What xz may take to unpack: twice what its highest level needs. */
const XZ_MEMORY = '128MiB';

interface UnpackTools extends Pick<Effects, 'exec' | 'signal'> {
  /** What is looked at before; nothing unless told. */
  readonly room?: {
    readonly free: FreeSpace;
    /** How many times the packed file's bytes must be free: what it unpacks to is not known, but that it is no less. */
    readonly copies: number;
  };
}

/**
 * Unpacks a disk into the new file `to`, with holes where there are zeros. xz is run for its format, as Node cannot read it. What a packed file
 * may stand for is bounded, zeros left out. Nothing is left at `to` where it fails. Resolves with the disk's bytes. Throws UserError `file`
 * for too little room (before anything is written, as far as that is known then), damage, where xz is missing, and what the file system refuses.
 */
export async function unpackDisk(
  from: string,
  to: string,
  packing: DiskPacking,
  { exec, signal, room }: UnpackTools,
): Promise<number> {
  const packed = (await stat(from).catch((error: unknown) => Promise.reject(fileError(error, from, 'read')))).size;
  if (room) await checkSpace({ what: `unpacking ${from}`, bytes: packed * room.copies, path: to }, room.free);
  const file = await open(to, 'wx').catch((error: unknown) => Promise.reject(fileError(error, to, 'write')));
  try {
    const writer = new SparseWriter(file, 0);
    const take = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const chunk of chunks) {
        signal.throwIfAborted();
        await writer.write(chunk).catch((error: unknown) => Promise.reject(fileError(error, to, 'write')));
        checkUnpacked(from, packed, writer.written);
        checkUnpackedDisk(from, writer.position);
      }
    };
    if (packing === 'xz') await fromXz(from, take, { exec, signal });
    else await take(unpack(packing, createReadStream(from, { highWaterMark: CHUNK }), CHUNK));
    await file.truncate(writer.position);
    return writer.position;
  } catch (error) {
    await rm(to, { force: true });
    throw unpackError(error, from, packing);
  } finally {
    await file.close();
  }
}

async function fromXz(
  from: string,
  take: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  { exec, signal }: Pick<Effects, 'exec' | 'signal'>,
): Promise<void> {
  const words = ['--decompress', '--stdout', '--threads=1', `--memlimit-decompress=${XZ_MEMORY}`, '--', from];
  // Its own variables would add options.
  const env = { XZ_DEFAULTS: '', XZ_OPT: '', LC_ALL: 'C' };
  const { exitCode, stderr } = await exec('xz', words, { env, signal, onStdout: take });
  if (exitCode !== 0) throw new Error(stderr.trim() || `xz ended with ${exitCode}`);
}

/** A decompressor's own error, which has no path, as the user's. */
function unpackError(error: unknown, path: string, packing: DiskPacking): unknown {
  if (error instanceof UserError || !(error instanceof Error) || error.name === 'AbortError') return error;
  const refused = fileError(error, path, 'read');
  if (refused !== error) return refused;
  return diskDamage({
    path,
    structure: `the ${packing} file`,
    offset: 0,
    what: `cannot be unpacked: ${error.message}`,
  });
}
