import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type CachedPath, type CacheIndex, INDEX_VERSION } from '../../../src/cache/cache-index.ts';
import { encodeIndex } from '../../../src/cache/index-file.ts';
import { packKey } from '../../../src/cache/keys.ts';
import { type PackFile, PackWriter } from '../../../src/cache/pack-writer.ts';
import { mutated, mutatedIndex, numbersFrom, servedOf } from './mutations.ts';
import { storePath } from './sample.ts';

/** A real index with its packs; the same in each run. */
async function made(folder: string): Promise<{ index: CacheIndex; packs: Buffer[] }> {
  const files: PackFile[] = [];
  const writer = new PackWriter({ folder, limit: 1500, onPack: async (pack) => void files.push(pack) });
  const paths: CachedPath[] = [];
  for (const [at, size] of [700, 40, 2500, 9].entries()) {
    const nar = createHash('shake256', { outputLength: size }).update(String(at)).digest();
    const narHash = `sha256-${createHash('sha256').update(nar).digest('base64')}`;
    const info = { path: storePath(`p${at}`), narHash, narSize: size, references: [] };
    const pieces = await writer.add(
      info,
      (async function* () {
        yield nar;
      })(),
    );
    paths.push({ ...info, pieces, seconds: 1, system: 'x86_64-linux', isLeaf: true, used: 0 });
  }
  await writer.end();
  const attempt = { run: '1', attempt: 1, system: 'x86_64-linux', job: 'app' };
  const packs = files.map(({ sha256, bytes }) => ({ key: packKey(sha256, attempt), bytes, sha256 }));
  return {
    index: { version: INDEX_VERSION, packs, paths, closures: [] },
    packs: await Promise.all(files.map(({ file }) => readFile(file))),
  };
}

/** Spoils indexes and packs `count` times: what is served afterwards has the hash that it is served under, and nothing else happens. */
export async function fuzzCache(count: number, seed: number): Promise<{ readonly served: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'cache-fuzz-'));
  let served = 0;
  try {
    const { index, packs } = await made(folder);
    const file = encodeIndex(index);
    const below = numbersFrom(seed);
    for (let round = 0; round < count; round += 1) {
      const kind = below(3);
      const spoiled = kind === 0 ? mutated(file, below) : kind === 1 ? mutatedIndex(index, below) : file;
      const which = below(packs.length);
      const others = kind === 2 ? packs.map((pack, at) => (at === which ? mutated(pack, below) : pack)) : packs;
      for (const [name, nar] of await servedOf(spoiled, others, folder)) {
        const hash = `sha256-${createHash('sha256').update(nar).digest('base64')}`;
        expect(name.endsWith(` ${hash}`), `round ${round} of seed ${seed}`).toBe(true);
        served += 1;
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  return { served };
}
