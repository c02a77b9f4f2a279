import { createHash } from 'node:crypto';
import { type CachedPath, type CacheIndex, INDEX_VERSION, type Piece } from '../../../src/cache/cache-index.ts';
import type { DecodedIndex } from '../../../src/cache/index-file.ts';
import type { CacheWorld, IndexQuery, RestoredIndex } from '../../../src/cache/index-store.ts';
import { packKey } from '../../../src/cache/keys.ts';
import type { FileOfPack } from '../../../src/cache/pack-reader.ts';
import type { PackWriterOptions } from '../../../src/cache/pack-writer.ts';

export type Shared = Piece | DecodedIndex | CacheWorld | IndexQuery | RestoredIndex | FileOfPack | PackWriterOptions;

const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

export const storePath = (name: string): string => `/nix/store/${hex(name).slice(0, 32).replaceAll('e', 'z')}-${name}`;

const ATTEMPT = { run: '7', attempt: 1, system: 'x86_64-linux', job: 'app' };

export const samplePackKey = (name: string, attempt = ATTEMPT): string => packKey(hex(name), attempt);

interface Sample extends Partial<Omit<CachedPath, 'path' | 'pieces'>> {
  readonly bytes?: number;
}

/** An index from packs by name, and in each its paths by name, one behind the other. */
export function sampleIndex(
  packs: Readonly<Record<string, Readonly<Record<string, Sample>>>>,
  closures: Readonly<Record<string, readonly string[]>> = {},
  at = 1_000,
): CacheIndex {
  const names = Object.keys(packs);
  const paths = names.flatMap((pack, place) => {
    let offset = 0;
    return Object.entries(packs[pack] ?? {}).map(([name, { bytes = 100, ...rest }]): CachedPath => {
      const piece = { pack: place, offset, length: bytes };
      offset += bytes;
      return {
        path: storePath(name),
        narHash: `sha256-${createHash('sha256').update(name).digest('base64')}`,
        narSize: bytes * 3,
        references: [],
        seconds: 10,
        system: 'x86_64-linux',
        isLeaf: true,
        used: at,
        ...rest,
        pieces: [piece],
      };
    });
  });
  return {
    version: INDEX_VERSION,
    packs: names.map((name) => {
      const bytes = Object.values(packs[name] ?? {}).reduce((sum, { bytes: size = 100 }) => sum + size, 0);
      return { key: samplePackKey(name), bytes: Math.max(1, bytes), sha256: hex(name) };
    }),
    paths,
    closures: Object.entries(closures).map(([image, names]) => ({
      system: 'x86_64-linux',
      image,
      at,
      paths: names.map(storePath),
    })),
  };
}
