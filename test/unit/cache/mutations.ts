import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import type { CacheIndex } from '../../../src/cache/cache-index.ts';
import { decodeIndex } from '../../../src/cache/index-file.ts';
import { unpackFrame } from '../../../src/cache/pack-reader.ts';

/** Numbers that look random and are the same in each run (Park and Miller's generator). */
export function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** Bytes with some of them changed, cut off, doubled, or in another place. */
export function mutated(bytes: Buffer, below: (end: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const at = below(copy.length);
  switch (below(6)) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      return Buffer.concat([copy.subarray(0, at), Buffer.alloc(1 + below(40), below(256)), copy.subarray(at)]);
    case 2:
      return Buffer.concat([copy.subarray(at), copy.subarray(0, at)]);
    case 3:
      return copy.fill(below(256), at, Math.min(copy.length, at + 1 + below(100)));
    default:
      for (let bit = 0; bit <= below(4); bit += 1) copy[below(copy.length)] = below(256);
      return copy;
  }
}

/** Values that no index has, for a place in its JSON. */
const ODD: readonly unknown[] = [
  null,
  -1,
  0,
  1e300,
  0.5,
  '',
  '/nix/store/../x',
  [],
  {},
  true,
  'x'.repeat(5000),
  2 ** 53,
];

/** An index with one of its values replaced or left out, as a file. */
export function mutatedIndex(index: CacheIndex, below: (end: number) => number): Buffer {
  const copy = structuredClone(index) as unknown;
  let place = copy as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(place);
    const key = keys[below(Math.max(1, keys.length))] ?? 'more';
    const value = place[key];
    if (typeof value === 'object' && value !== null && below(4) > 0) {
      place = value as Record<string, unknown>;
      continue;
    }
    if (below(4) === 0) delete place[key];
    else place[key] = ODD[below(ODD.length)];
    return zstdCompressSync(JSON.stringify(copy), { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  }
}

/** What is served of an index's file and its packs: only whole and right NARs, by path. Never throws but for a bug. */
export async function servedOf(file: Buffer, packs: readonly Buffer[], folder: string): Promise<Map<string, Buffer>> {
  const served = new Map<string, Buffer>();
  const decoded = decodeIndex(file);
  if (decoded.kind !== 'index') return served;
  const fileOf = (pack: number): string => join(folder, `pack-${pack}`);
  for (const [at, pack] of packs.entries()) await writeFile(fileOf(at), pack);
  for (const path of decoded.index.paths) {
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of unpackFrame(path, fileOf)) chunks.push(chunk);
      served.set(`${path.path} ${path.narHash}`, Buffer.concat(chunks));
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'digest' && code !== 'file') throw error;
    }
  }
  return served;
}
