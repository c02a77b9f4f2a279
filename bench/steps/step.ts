// One step of a publish alone, for its CPU to be measured from outside: node step.ts STEP ARGUMENT…
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createExec } from '../../src/host/exec.ts';
import { compressionSchema } from '../../src/image/compression.ts';
import { codecOf } from '../../src/layer/codec.ts';
import { storeLayerEntries } from '../../src/layer/entries.ts';
import { externalCodec, isProgram } from '../../src/layer/external-codec.ts';
import { storeTree } from '../../src/layer/store-tree.ts';
import { tarStream } from '../../src/layer/tar-stream.ts';
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
    for (const layer of layersOf(list)) await drained(tarStream(storeLayerEntries(layer, storeTree)));
  },
  /** Reading, tar and one hash: what a tool does that makes layers without compressing them. */
  layers: async (list = '') => {
    for (const layer of layersOf(list)) await hashed(tarStream(storeLayerEntries(layer, storeTree)));
  },
  read: async (list = '') => {
    for (const file of files(list)) await drained(readBlocks(file));
  },
  sha256: async (list = '') => {
    for (const file of files(list)) await hashed(readBlocks(file));
  },
  compress: async (compression = '', list = '') => {
    const { name, level } = compressionSchema.parse(compression);
    const { signal } = new AbortController();
    const exec = createExec({ env: process.env, signal });
    const codec = isProgram(name) ? externalCodec(name, level, { exec, signal }) : codecOf(name);
    for (const file of files(list)) await drained(codec.compress(readBlocks(file)));
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
