import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { cancelled, UserError } from '../../core/error.ts';
import { writeFully } from '../../core/file-bytes.ts';
import { fileError, systemCode } from '../../core/file-error.ts';
import { checkUnpacked } from '../../core/unpack-limit.ts';
import { MAGIC_BYTES, type Packing, packingOf } from '../../oci/packing.ts';
import { unpack } from '../../oci/unpack.ts';
import { ArchiveIndex, openPlainFile } from '../../tar/index.ts';
import { readSlice } from '../file-blob.ts';

/** Bytes that are unpacked and written at once: fewer round trips than by Node's 16 KiB. */
const UNPACKED_AT_ONCE = 256 * 1024;

function positionedSink(handle: FileHandle): Writable {
  let position = 0;
  return new Writable({
    write: (chunk: Buffer, _encoding, callback) => {
      const at = position;
      position += chunk.length;
      writeFully(handle, chunk, at).then(() => callback(), callback);
    },
  });
}

/** A file of its own that has no name any more: it goes with the last who holds it open, even after a crash. */
export async function openNameless(folder: string): Promise<FileHandle> {
  const path = join(folder, `nix-images-${randomBytes(8).toString('hex')}.tar`);
  try {
    const handle = await open(path, 'wx+', 0o600);
    await rm(path);
    return handle;
  } catch (error) {
    throw fileError(error, path, 'write');
  }
}

async function unpacked(
  source: FileHandle,
  path: string,
  packing: Packing,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal | undefined },
): Promise<FileHandle> {
  const target = await openNameless(folder);
  try {
    const { size } = await source.stat();
    const input = unpack(packing, readSlice(source, path, 0, size), UNPACKED_AT_ONCE);
    const limited = async function* (chunks: AsyncIterable<Uint8Array>) {
      let bytes = 0;
      for await (const chunk of chunks) {
        bytes += chunk.length;
        checkUnpacked(path, size, bytes);
        yield chunk;
      }
    };
    await pipeline(input, limited, positionedSink(target), signal ? { signal } : {});
    return target;
  } catch (error) {
    await target.close();
    if (signal?.aborted) throw cancelled(error);
    if (error instanceof UserError) throw error;
    const code = systemCode(error) ?? '';
    if (/^(Z_|ZSTD|ERR_)/.test(code)) {
      throw new UserError('file', `cannot unpack ${path}: ${String(error)}`, {
        hint: 'The file is damaged or cut off; make it again.',
        cause: error,
      });
    }
    throw fileError(error, `${folder} (for ${path}, unpacked)`, 'write');
  }
}

/**
 * Opens a tar for reading, plain or compressed as a whole with gzip or zstd. A compressed one is unpacked into
 * `temporaryFolder`, since blobs are read in any order. Throws UserError `file`.
 */
export const openArchive = async (path: string, temporaryFolder: string, signal?: AbortSignal): Promise<ArchiveIndex> =>
  archiveOver(path, await openPlainFile(path), temporaryFolder, signal);

/** The same of a file that is open, which is then owned. `path` names it in messages. */
export async function archiveOver(
  path: string,
  file: FileHandle,
  temporaryFolder: string,
  signal?: AbortSignal,
): Promise<ArchiveIndex> {
  const start = Buffer.alloc(MAGIC_BYTES);
  await file.read(start, 0, MAGIC_BYTES, 0);
  const packing = packingOf(start);
  if (packing === undefined) return ArchiveIndex.over(path, file);
  try {
    return await ArchiveIndex.over(path, await unpacked(file, path, packing, { folder: temporaryFolder, signal }));
  } finally {
    await file.close();
  }
}
