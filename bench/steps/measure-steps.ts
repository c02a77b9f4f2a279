import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Steps } from '../floor.ts';
import type { MadeInputs } from '../inputs/inputs.ts';
import { tarCommand } from '../inputs/inputs.ts';
import { type LayoutImage, openLayout } from '../inputs/layout.ts';
import { piped } from '../measure/pipeline.ts';
import { repeated } from '../measure/repeated.ts';
import { timed } from '../measure/timed.ts';
import type { Usage } from '../measure/usage.ts';
import { startRegistry } from '../registry/registry.ts';
import type { OwnCodec } from '../subjects/own.ts';
import { layerList } from './layer-list.ts';

const STEP = join(import.meta.dirname, 'step.ts');

export interface StepPlace {
  readonly inputs: MadeInputs;
  readonly closure: readonly string[];
  readonly scratch: string;
}

const runStep = (scratch: string, ...args: string[]): Promise<Usage> =>
  timed({ program: process.execPath, args: [STEP, ...args] }, scratch);

/**
 * Making the layers without compressing them, in one process: what nix2container does when it builds an image, before
 * anything is pushed. Median of `runs`.
 */
export async function measureLayersPass({ inputs, closure, scratch }: StepPlace, runs: number): Promise<Usage> {
  const args = [STEP, 'layers', await writeList(inputs, closure, scratch)];
  return repeated({ program: process.execPath, args }, runs, scratch);
}

/** CPU of each step alone. `compressed` is our own image in a layout, with the codec in question. */
export async function measureSteps(place: StepPlace, codec: OwnCodec, compressed: string): Promise<Steps> {
  const { inputs, closure, scratch } = place;
  const plain = await writeFiles(scratch, plainFiles(inputs));
  const packed = await writeFiles(scratch, blobFiles(await openLayout(compressed)));
  const cpu = async (...args: string[]): Promise<number> => (await runStep(scratch, ...args)).cpuSeconds;
  const readPlain = await cpu('read', plain);
  const readPacked = await cpu('read', packed);
  return {
    readAndTar: await cheapestTar(inputs, closure, scratch),
    hashTar: beyond(await cpu('sha256', plain), readPlain),
    compress: beyond(await cpu('compress', codec, plain), readPlain),
    hashLayers: beyond(await cpu('sha256', packed), readPacked),
    ...(await sending(scratch, packed, readPacked)),
  };
}

/** What a step took beside reading its input; with little input, the difference may drown in the clock's grain. */
const beyond = (all: number, reading: number): number => Math.max(0, all - reading);

/** Ours, or GNU tar into a pipe: whichever takes less. */
async function cheapestTar(inputs: MadeInputs, closure: readonly string[], scratch: string): Promise<number> {
  const start = (await runStep(scratch, 'start')).cpuSeconds;
  const own = (await runStep(scratch, 'tar', await writeList(inputs, closure, scratch))).cpuSeconds;
  const gnu = await piped(tarCommand(inputs.list, '-'), { program: 'cat', args: [] }, scratch);
  return Math.min(beyond(own, start), gnu.from.cpuSeconds);
}

async function sending(scratch: string, packed: string, read: number): Promise<Pick<Steps, 'send' | 'registry'>> {
  const registry = await startRegistry(join(scratch, `send-${crypto.randomUUID()}`));
  try {
    const before = await registry.counters();
    const client = await runStep(scratch, 'send', `${registry.host}/bench`, packed);
    const after = await registry.counters();
    return { send: beyond(client.cpuSeconds, read), registry: after.cpuSeconds - before.cpuSeconds };
  } finally {
    await registry.stop();
  }
}

const plainFiles = ({ layout, layers }: MadeInputs): string[] =>
  layout.diffIds.map((digest) => join(layers, digest.replace(/^sha256:/, '')));

const blobFiles = ({ manifest, blob }: LayoutImage): string[] => manifest.layers.map((layer) => blob(layer.digest));

async function writeFiles(scratch: string, files: readonly string[]): Promise<string> {
  const list = join(scratch, `files-${crypto.randomUUID()}`);
  await writeFile(list, files.join('\n'));
  return list;
}

async function writeList(inputs: MadeInputs, closure: readonly string[], scratch: string): Promise<string> {
  const file = join(scratch, `layers-${crypto.randomUUID()}`);
  await writeFile(file, JSON.stringify(layerList(inputs.layout, closure)));
  return file;
}
