import type { FileHandle } from 'node:fs/promises';
import { withFileErrors } from '../core/file-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { DigestCheck, digestMismatch } from '../oci/digest-check.ts';
import type { Slice } from '../tar/index.ts';

// Large enough that system calls do not count, small enough for many layers at once.
const READ_SIZE = 1024 * 1024;

/** Bytes `offset` to `offset + size` of a file. Throws UserError `file` when it cannot be read to there. */
export async function* readSlice(
  handle: FileHandle,
  path: string,
  offset: number,
  size: number,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  while (at < size) {
    // Each chunk is its own memory: whoever takes it may keep it.
    const chunk = Buffer.allocUnsafe(Math.min(READ_SIZE, size - at));
    const position = offset + at;
    const { bytesRead } = await withFileErrors(path, 'read', () => handle.read(chunk, 0, chunk.length, position));
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** A blob that lies in a file at `offset`, checked on the way. Throws UserError `digest` at its end when it is another. */
export async function* readFileBlob(
  handle: FileHandle,
  path: string,
  { offset, size }: Slice,
  descriptor: Descriptor,
): AsyncGenerator<Uint8Array> {
  if (size !== descriptor.size) throw digestMismatch(path, descriptor, `${size} bytes`);
  const check = new DigestCheck();
  for await (const chunk of readSlice(handle, path, offset, size)) {
    check.update(chunk);
    yield chunk;
  }
  check.finish(descriptor, path);
}

/** Whether a file holds a blob at `offset`: its bytes are read and hashed. Throws UserError `file` when they cannot be read. */
export async function holdsBlob(
  handle: FileHandle,
  path: string,
  offset: number,
  descriptor: Descriptor,
): Promise<boolean> {
  const check = new DigestCheck();
  for await (const chunk of readSlice(handle, path, offset, descriptor.size)) check.update(chunk);
  return check.size === descriptor.size && check.digest() === descriptor.digest;
}
