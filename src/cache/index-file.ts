import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { sizeText } from '../core/size.ts';
import { type CacheIndex, cacheIndexSchema, INDEX_VERSION } from './cache-index.ts';

/** Bytes of an index's file, and of its JSON: 100,000 paths with five references each have half of it. */
export const INDEX_FILE_LIMIT = 16_000_000;
const JSON_LIMIT = 64_000_000;

/** As level 3 writes it, and no more: a frame may ask its reader for gigabytes. */
const WINDOW_LOG_MAX = 23;

const LEVEL = 9;

/** @internal What an index's file turned out to be. */
export type DecodedIndex =
  | { readonly kind: 'index'; readonly index: CacheIndex }
  /** Of a version that this one does not read, but must not spoil either. */
  | { readonly kind: 'newer'; readonly why: string }
  /** Older, damaged, or not an index: as good as nothing. */
  | { readonly kind: 'unusable'; readonly why: string };

const versionSchema = z.looseObject({ version: z.int() });

/** The file of an index: JSON in one zstd frame. Throws TypeError (a bug) for an index that would not be read again. */
export function encodeIndex(index: CacheIndex): Buffer {
  const checked = cacheIndexSchema.safeParse(index);
  if (!checked.success) throw new TypeError(`the cache's index cannot be written: ${z.prettifyError(checked.error)}`);
  return zstdCompressSync(JSON.stringify(index), { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
}

/** Reads the file of an index, which may hold anything. Never throws. */
export function decodeIndex(file: Uint8Array): DecodedIndex {
  const unusable = (why: string): DecodedIndex => ({ kind: 'unusable', why });
  if (file.length > INDEX_FILE_LIMIT) return unusable(`it has more than ${sizeText(INDEX_FILE_LIMIT)}`);
  let json: Buffer;
  try {
    json = zstdDecompressSync(file, {
      maxOutputLength: JSON_LIMIT,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
    });
  } catch (error) {
    return unusable(error instanceof Error ? error.message : String(error));
  }
  const envelope = tryDecodeJson(json, versionSchema);
  if (!envelope) return unusable('it is not an index');
  if (envelope.version > INDEX_VERSION) return { kind: 'newer', why: `it has version ${envelope.version}` };
  if (envelope.version < INDEX_VERSION) return unusable(`it has version ${envelope.version}`);
  const index = tryDecodeJson(json, cacheIndexSchema);
  return index ? { kind: 'index', index } : unusable('its contents are not valid');
}
