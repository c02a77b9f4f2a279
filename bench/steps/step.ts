// One step of a publish alone, for its CPU to be measured from outside: node step.ts STEP ARGUMENT…
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BlockPool } from '../../src/core/block-pool.ts';
import { createExec } from '../../src/host/exec.ts';
import { storeLayerEntries } from '../../src/layer/entries.ts';
import { chosenCodec } from '../../src/layer/external-codec.ts';
import { storeTree } from '../../src/layer/store-tree.ts';
import { compressionSchema } from '../../src/oci/compression.ts';
import { STREAM_BLOCK, tarStream } from '../../src/tar/writer.ts';
import { readBlocks } from './blocks.ts';
import { layersOf } from './layer-list.ts';
import { sendFile } from './send-file.ts';

type Step = (...args: string[]) => Promise<void>;

const hashed = async (blocks: AsyncIterable<Uint8Array>): Promise<void> => {
  const hash = createHash('sha256');
  for await (const block of blocks) hash.update(block);
  hash.digest();
};

const drained = async (blocks: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const _ of blocks);
};

const STEPS: Readonly<Record<string, Step>> = {
  /** What every step here costs before it does anything. */
  start: async () => {},
  tar: async (list = '') => {
    const pool = new BlockPool(STREAM_BLOCK);
    for (const layer of layersOf(list)) {
      for (const block of tarStream(storeLayerEntries(layer, storeTree), pool)) pool.give(block);
    }
  },
  /** Reading, tar and one hash: what a tool does that makes layers without compressing them. */
  layers: async (list = '') => {
    const pool = new BlockPool(STREAM_BLOCK);
    for (const layer of layersOf(list)) {
      const hash = createHash('sha256');
      for (const block of tarStream(storeLayerEntries(layer, storeTree), pool)) {
        hash.update(block);
        pool.give(block);
      }
      hash.digest();
    }
  },
  read: async (list = '') => {
    for (const file of files(list)) await drained(readBlocks(file));
  },
  sha256: async (list = '') => {
    for (const file of files(list)) await hashed(readBlocks(file));
  },
  compress: async (compression = '', list = '') => {
    const { signal } = new AbortController();
    const exec = createExec({ env: process.env, signal });
    const codec = chosenCodec(compressionSchema.parse(compression), { exec, signal });
    for (const file of files(list)) await drained(codec.compress(readBlocks(file), { parallel: 1 }));
  },
  send: async (repository = '', list = '') => {
    for (const file of files(list)) await sendFile(repository, file);
  },
};

const files = (list: string): string[] => readFileSync(list, 'utf8').split('\n').filter(Boolean);

const [name = '', ...args] = process.argv.slice(2);
const step = STEPS[name];
if (step === undefined) throw new Error(`no such step: ${name}; there are ${Object.keys(STEPS).join(', ')}`);
await step(...args);
