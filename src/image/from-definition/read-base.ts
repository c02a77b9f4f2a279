import { createHash } from 'node:crypto';
import { fromBytes, fromText } from '../../core/bytes.ts';
import { UserError } from '../../core/error.ts';
import { checkUnpacked } from '../../core/unpack-limit.ts';
import { type BaseEntry, BaseLayer, BaseTree } from '../../definition/base-tree.ts';
import { listsAccounts } from '../../definition/base-view.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { endDigest } from '../../oci/digest.ts';
import { MAGIC_BYTES, packingOf } from '../../oci/packing.ts';
import { unpack } from '../../oci/unpack.ts';
import { type ReadEntry, tarEntries } from '../../tar/reader.ts';
import type { ExistingImage } from '../existing-image.ts';

/** Bytes of a file that lists accounts; hundreds of users take a hundredth of it. */
const ACCOUNTS_LIMIT = 1024 * 1024;

/** @internal What all layers of a base may have at most. */
export interface BaseLimits {
  readonly entries: number;
  /** Bytes of all names and of what links lead to. */
  readonly names: number;
  /** Bytes of the unpacked layers. */
  readonly unpacked: number;
}

/**
 * An entry takes about a hundred bytes of memory, and the largest images known have a tenth of these; no image known has
 * as many bytes, and to unpack so many takes minutes.
 */
const LIMITS: BaseLimits = { entries: 3_000_000, names: 256 * 1024 ** 2, unpacked: 128 * 1024 ** 3 };

/** What reading a base has cost so far. */
interface Spent {
  entries: number;
  names: number;
  unpacked: number;
}

/**
 * Reads the headers of every layer of a base, the lowest first. Memory grows with the number of files, not with what
 * is in them. Throws UserError `digest` for bytes that are not what manifest and config promise, `file` for a layer
 * that cannot be read or is beyond all measure, and what the repository throws.
 */
export async function readBaseTree(
  { repository, layers, config }: ExistingImage,
  signal: AbortSignal,
  limits = LIMITS,
): Promise<BaseTree> {
  const tree = new BaseTree();
  const spent: Spent = { entries: 0, names: 0, unpacked: 0 };
  for (const [at, layer] of layers.entries()) {
    const where = `fromImage ${repository.name}: layer ${at + 1} (${layer.digest})`;
    const diffId = config.rootfs.diff_ids[at];
    tree.add(await readLayer(repository.readBlob(layer), layer, diffId, { where, spent, limits, signal }));
  }
  return tree;
}

interface Reading {
  readonly where: string;
  readonly spent: Spent;
  readonly limits: BaseLimits;
  readonly signal: AbortSignal;
}

async function readLayer(
  bytes: AsyncIterable<Uint8Array>,
  { mediaType, size }: Descriptor,
  promised: string | undefined,
  { where, spent, limits, signal }: Reading,
): Promise<BaseLayer> {
  const layer = new BaseLayer();
  const hash = createHash('sha256');
  let ofLayer = 0;
  async function* counted(tar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of tar) {
      signal.throwIfAborted();
      hash.update(chunk);
      spent.unpacked += chunk.length;
      ofLayer += chunk.length;
      checkUnpacked(where, size, ofLayer);
      if (spent.unpacked > limits.unpacked) throw tooMuch(where, `more than ${limits.unpacked} bytes unpacked`);
      yield chunk;
    }
  }
  const tar = counted(unpacked(bytes));
  try {
    for await (const entry of tarEntries(tar, (name) => (listsAccounts(name) ? ACCOUNTS_LIMIT : 0))) {
      spent.entries += 1;
      spent.names += entry.name.length + entry.link.length;
      if (spent.entries > limits.entries) throw tooMuch(where, `more than ${limits.entries} files`);
      if (spent.names > limits.names) throw tooMuch(where, `more than ${limits.names} bytes of file names`);
      layer.put(baseEntry(entry));
    }
    // What follows the archive's end belongs to what the digests promise.
    for await (const _rest of tar);
  } catch (error) {
    if (error instanceof UserError || signal.aborted) throw error;
    throw new UserError('file', `${where} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      hint: `Its manifest calls it ${mediaType}; a layer is a tar, plain or packed with gzip or zstd. Make the base again, or choose another.`,
      cause: error,
    });
  } finally {
    await tar.return(undefined);
  }
  const diffId = endDigest(hash);
  if (promised === undefined || diffId === promised) return layer;
  throw new UserError('digest', `${where} unpacks to ${diffId}, but its config says ${promised}`, {
    hint: 'The base is damaged: make it again.',
  });
}

/** A layer's tar, packed or not: what its bytes say counts, not what its media type says. */
async function* unpacked(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  for (let next = await source.next(); !next.done; next = await source.next()) {
    start = Buffer.concat([start, next.value]);
    if (start.length >= MAGIC_BYTES) break;
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield start;
    yield* { [Symbol.asyncIterator]: () => source };
  }
  const packing = packingOf(start);
  yield* packing ? unpack(packing, whole()) : whole();
}

function baseEntry({ name, type, mode, uid, gid, mtime, link, size, content }: ReadEntry): BaseEntry {
  const attributes = { mode, uid: whole(uid), gid: whole(gid), mtime: whole(mtime) };
  const kind = type === '5' ? 'directory' : type === '2' ? 'symlink' : type === '1' ? 'hardlink' : 'file';
  const isAccounts = kind === 'file' && listsAccounts(name);
  // Beyond the limit there is no text, but there is a file.
  const text = size > ACCOUNTS_LIMIT ? undefined : fromBytes(content);
  const accounts = isAccounts ? { accounts: { ...attributes, text } } : {};
  return { path: fromText(name), type: kind, attributes, target: fromText(link), ...accounts };
}

/** A number of a header; none where it is not legal. */
const whole = (value: number): number => (Number.isSafeInteger(value) && value > 0 ? value : 0);

const tooMuch = (where: string, what: string): UserError =>
  new UserError('file', `${where}: the base has ${what}, which is more than can be read`, {
    hint: 'Choose a smaller base, or put what is needed of it into a package for copyToRoot.',
  });
