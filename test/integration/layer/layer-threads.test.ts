// Starts threads with the program's own entry, some twenty in all: each takes a tenth of a second to start from source.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { layerEntries } from '../../../src/layer/entries.ts';
import type { LayerContent } from '../../../src/layer/layer-content.ts';
import { LayerThreads } from '../../../src/layer/layer-threads.ts';
import { watchedStoreTree } from '../../../src/layer/store-tree.ts';
import { treePrint } from '../../../src/layer/tree-print.ts';
import type { WrittenLayer } from '../../../src/layer/write-layer.ts';
import type { Compression } from '../../../src/oci/compression.ts';
import { tarStream } from '../../../src/tar/writer.ts';
import { ROOT } from '../../support/root.ts';

const PROGRAM = pathToFileURL(join(ROOT, 'src/main.ts'));
const MIB = 1024 * 1024;

let folder: string;
/**
 * One large layer, others so that threads become free while it is made, and many of a few kilobytes, as closures have them: threads take the next one
 * while others are in the middle of theirs.
 */
const MIBS = [9, 3, 1, 0.3, 0.2, 0.1, ...Array.from({ length: 34 }, (_, at) => 0.002 * (1 + (at % 7)))];

let layers: readonly LayerContent[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layer-threads-'));
  layers = await Promise.all(MIBS.map(storePath));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A store path of about so many MiB, half of it incompressible. */
async function storePath(size: number, index: number): Promise<LayerContent> {
  const from = join(folder, String(index));
  await mkdir(join(from, 'bin'), { recursive: true });
  await writeFile(join(from, 'bin/noise'), randomBytes((size * MIB) / 2));
  await writeFile(join(from, 'text'), `line ${index}\n`.repeat((size * MIB) / 14));
  const over = {};
  return { kind: 'store', paths: [{ path: `/nix/store/${index}`, from }], storeMode: 0o555, over };
}

const CODECS: readonly Compression[] = [
  { name: 'gzip', level: 1 },
  { name: 'zstd', level: 3 },
  { name: 'zstd:chunked', level: 3 },
];

interface Made {
  readonly layer: WrittenLayer;
  /** The digest of the bytes that came. */
  readonly came: string;
}

/** All layers at once with so many threads, each codec after the other. */
async function made(width: number, parallel = 1, size = Number.POSITIVE_INFINITY): Promise<Made[]> {
  const threads = new LayerThreads(PROGRAM, width);
  const make = async (content: LayerContent, compression: Compression): Promise<Made> => {
    const hash = createHash('sha256');
    const layer = await threads.write(
      { content, size, compression, parallel },
      async (chunk) => void hash.update(chunk),
    );
    return { layer, came: `sha256:${hash.digest('hex')}` };
  };
  try {
    const all: Made[] = [];
    for (const codec of CODECS) all.push(...(await Promise.all(layers.map((content) => make(content, codec)))));
    return all;
  } finally {
    await threads.close();
  }
}

test('any number of threads makes the same layers, whoever compresses their blocks', async () => {
  const alone = await made(1);
  for (const { layer, came } of alone) expect(came).toBe(layer.digest);
  expect(await made(1, 3)).toEqual(alone);
  expect(await made(4, 3, 1)).toEqual(alone);
  for (const width of [2, 3, 8, 16]) expect(await made(width)).toEqual(alone);
});

test('a layer that is only hashed comes with what its tree looked like, in the order in which it is read', async () => {
  const threads = new LayerThreads(PROGRAM, 1);
  const content = layers[2];
  if (!content) throw new Error('there is no such layer');
  try {
    const { treePrint: seen, diffId } = await threads.write(
      { content, size: 0, compression: null, parallel: 1 },
      async () => {},
    );
    const print = treePrint();
    const hash = createHash('sha256');
    for (const block of tarStream(layerEntries(content, watchedStoreTree(print.add)))) hash.update(block);
    expect(seen).toBe(print.end());
    expect(diffId).toBe(`sha256:${hash.digest('hex')}`);
  } finally {
    await threads.close();
  }
});
