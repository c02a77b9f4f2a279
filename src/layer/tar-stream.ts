import { closeSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type ByteString, toBytes, toText } from '../image/bytes.ts';
import { UserError } from '../io/error.ts';
import { BlockPool } from './block-pool.ts';
import type { TarEntry } from './tar-entry.ts';
import { contentSize, padding, TAR_BLOCK, tarHeader } from './tar-header.ts';

/** Bytes in a block of the stream: large enough that hashing and compressing run at full speed, small enough to queue. */
export const STREAM_BLOCK = 1024 * 1024;

/**
 * Up to this size a file is read with blocking calls: most files of a closure are smaller, and for them a round trip
 * through the thread pool costs several times the read itself.
 */
const BLOCKING_READ = 128 * 1024;

/** Two zero blocks end a tar; no padding to a record size, which would only be more bytes. */
const TRAILER = 2 * TAR_BLOCK;

/**
 * The bytes of a tar as blocks of exactly 1 MiB (the last one shorter), taken from `pool`. Content is read straight into
 * the block it stands in. Throws UserError `file` when a file cannot be read or changed its size.
 */
export async function* tarStream(
  entries: Iterable<TarEntry>,
  signal?: AbortSignal,
  pool: BlockPool = new BlockPool(STREAM_BLOCK),
): AsyncGenerator<Buffer> {
  let block = pool.take();
  let used = 0;
  const full: Buffer[] = [];
  const space = (): Buffer => block.subarray(used);
  const advance = (count: number): void => {
    used += count;
    if (used < STREAM_BLOCK) return;
    full.push(block);
    block = pool.take();
    used = 0;
  };
  const put = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) {
      const room = space();
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      advance(part.length);
    }
  };
  const zeros = (count: number): void => put(Buffer.alloc(count));

  for (const entry of entries) {
    put(tarHeader(entry));
    if (entry.type === 'file') {
      if (entry.content.kind === 'bytes') put(entry.content.bytes);
      else if (entry.content.size <= BLOCKING_READ) readSmall(entry.content.path, entry.content.size, put);
      else {
        for await (const count of readLarge(entry.content.path, entry.content.size, space)) {
          advance(count);
          while (full.length > 0) yield full.shift() as Buffer;
          signal?.throwIfAborted();
        }
      }
      zeros(padding(contentSize(entry)));
    }
    while (full.length > 0) yield full.shift() as Buffer;
    signal?.throwIfAborted();
  }
  zeros(TRAILER);
  yield* full;
  if (used > 0) yield block.subarray(0, used);
}

function readSmall(path: ByteString, size: number, put: (bytes: Uint8Array) => void): void {
  if (size === 0) return;
  // One byte more than expected, so that a file that grew is noticed.
  const bytes = Buffer.allocUnsafe(size + 1);
  const descriptor = attempt(path, () => openSync(toBytes(path), 'r'));
  let count = 0;
  try {
    for (let read = -1; read !== 0 && count <= size; count += read) {
      read = attempt(path, () => readSync(descriptor, bytes, count, bytes.length - count, null));
    }
  } finally {
    closeSync(descriptor);
  }
  if (count !== size) throw changed(path, size);
  put(bytes.subarray(0, size));
}

async function* readLarge(path: ByteString, size: number, space: () => Buffer): AsyncGenerator<number> {
  const file = await open(toBytes(path), 'r').catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    for (let left = size; left > 0; ) {
      const room = space();
      const { bytesRead } = await file.read(room, 0, Math.min(left, room.length)).catch((error: unknown) => {
        throw unreadable(path, error);
      });
      if (bytesRead === 0) throw changed(path, size);
      left -= bytesRead;
      yield bytesRead;
    }
    if ((await file.stat()).size !== size) throw changed(path, size);
  } finally {
    await file.close();
  }
}

function attempt<T>(path: ByteString, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unreadable(path, error);
  }
}

const unreadable = (path: ByteString, cause: unknown): UserError =>
  new UserError('file', `cannot read ${toText(path)}: ${cause instanceof Error ? cause.message : String(cause)}`, {
    hint: 'Check the store with `nix-store --verify --check-contents`; garbage may have been collected during the build.',
    cause,
  });

const changed = (path: ByteString, size: number): UserError =>
  new UserError('file', `${toText(path)} changed while it was read: it had ${size} bytes when it was listed`, {
    hint: 'Store paths never change by themselves: check the store with `nix-store --verify --check-contents`.',
  });
