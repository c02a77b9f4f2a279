import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { cancelled, UserError } from '../../core/error.ts';
import { writeFully } from '../../core/file-bytes.ts';
import { fileError, systemCode } from '../../core/file-error.ts';
import { checkUnpacked } from '../../core/unpack-limit.ts';
import { MAGIC_BYTES, packingOf } from '../../oci/packing.ts';
import { ArchiveIndex, openPlainFile } from '../../tar/index.ts';
import { readSlice } from '../file-blob.ts';

/** What unpacks a file that starts with these bytes; undefined for one that is not compressed. */
function decompressorFor(start: Buffer) {
  const packing = packingOf(start);
  if (packing === undefined) return undefined;
  return packing === 'gzip' ? createGunzip() : createZstdDecompress();
}

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

async function unpack(
  source: FileHandle,
  path: string,
  decompressor: NonNullable<ReturnType<typeof decompressorFor>>,
  { folder, signal }: { readonly folder: string; readonly signal: AbortSignal | undefined },
): Promise<FileHandle> {
  const target = await openNameless(folder);
  try {
    const { size } = await source.stat();
    const input = Readable.from(readSlice(source, path, 0, size), { objectMode: false });
    const limited = async function* (chunks: AsyncIterable<Uint8Array>) {
      let unpacked = 0;
      for await (const chunk of chunks) {
        unpacked += chunk.length;
        checkUnpacked(path, size, unpacked);
        yield chunk;
      }
    };
    await pipeline(input, decompressor, limited, positionedSink(target), signal ? { signal } : {});
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
  const decompressor = decompressorFor(start);
  if (decompressor === undefined) return ArchiveIndex.over(path, file);
  try {
    return await ArchiveIndex.over(path, await unpack(file, path, decompressor, { folder: temporaryFolder, signal }));
  } finally {
    await file.close();
  }
}
