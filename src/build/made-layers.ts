import { type LayerRecord, layerAnnotations, recordOf } from '../image/annotations.ts';
import { canonicalJson } from '../image/canonical-json.ts';
import type { Compression } from '../image/compression.ts';
import type { Descriptor } from '../image/descriptor.ts';
import type { Digest } from '../image/digest.ts';
import { type History, historyEntry } from '../image/image-config.ts';
import { type Layer, layerKey } from '../image/layer.ts';
import { UserError } from '../io/error.ts';
import type { Log } from '../io/log.ts';
import { mapParallel } from '../io/parallel.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import { copyBlob } from '../registry/copy.ts';
import type { Repository } from '../registry/repository.ts';
import type { ImagePaths } from './image-paths.ts';
import type { Journal } from './journal.ts';
import { makeNewLayers } from './new-layers.ts';
import type { Previous, PreviousLayer } from './previous-image.ts';

/** Look-ups and copies of layers that are taken over; they only wait. */
const LOOKUPS_AT_ONCE = 16;

export interface KeyedLayer {
  readonly layer: Layer;
  readonly key: string;
}

/** A layer that every repository has. */
export interface MadeLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly history: History;
}

export interface LayerTools {
  readonly compression: Compression;
  /** What that makes. */
  readonly mediaType: string;
  readonly openWriter: () => LayerWriter;
  readonly repositories: readonly Repository[];
  readonly previous: Previous;
  readonly journal: Journal;
  /** Whether layers of the image before are made again although they could be taken over. */
  readonly recompress: boolean;
  /** Gets store paths ready to be read, layer by layer. */
  readonly openPaths: (demand: readonly (readonly string[])[]) => Promise<ImagePaths>;
  readonly tempDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Sees to it that every repository has every layer: taken over where one of the same content is known, made otherwise. */
export async function makeLayers(layers: readonly Layer[], label: string, tools: LayerTools): Promise<MadeLayer[]> {
  const keyed = layers.map((layer): KeyedLayer => ({ layer, key: layerKey(layer) }));
  const made = await mapParallel(keyed, LOOKUPS_AT_ONCE, (layer) => takeOver(layer, tools));
  const todo = [...layers.keys()].filter((at) => made[at] === undefined);
  if (made.length > todo.length)
    tools.log.info(`${label}: ${made.length - todo.length} of ${made.length} layers are there already`);
  if (todo.length > 0) {
    const missing = todo.flatMap((at) => keyed[at] ?? []);
    const built = await makeNewLayers(missing, label, tools);
    todo.forEach((at, index) => {
      const [layer, fresh] = [layers[at], built[index]];
      if (layer && fresh) made[at] = madeOf(layer, fresh.descriptor, fresh.record);
    });
  }
  return made.filter((layer) => layer !== undefined);
}

async function takeOver({ layer, key }: KeyedLayer, tools: LayerTools): Promise<MadeLayer | undefined> {
  if (tools.recompress) return undefined;
  const found = tools.previous.layers.get(key) ?? (await tools.journal.find(key));
  // Another codec is another promise to clients: whoever asks for gzip must not get the zstd of the week before.
  if (!found || found.descriptor.mediaType !== tools.mediaType) return undefined;
  for (const repository of tools.repositories) {
    if (!(await bring(found, repository, tools.signal))) return undefined;
  }
  return madeOf(layer, found.descriptor, recordOf(layer, key, found.record));
}

/** The blob of a live manifest in the same repository is there; all others are asked for, mounted or copied. */
async function bring(found: PreviousLayer, to: Repository, signal: AbortSignal): Promise<boolean> {
  if (found.repository === to) return true;
  try {
    await copyBlob(found.descriptor, found.repository, to, signal);
    return true;
  } catch (error) {
    if (error instanceof UserError && error.code !== 'cancelled') return false;
    throw error;
  }
}

const madeOf = (layer: Layer, descriptor: Descriptor, record: LayerRecord): MadeLayer => ({
  descriptor: {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: descriptor.size,
    annotations: layerAnnotations(record),
  },
  diffId: record.diffId,
  history: historyEntry(describe(layer)),
});

/** The words of a layer in the image's history. */
const describe = (layer: Layer): string =>
  layer.kind === 'store'
    ? `store paths: ${canonicalJson(layer.paths.map((info) => info.path))}`
    : 'root: merged packages, files and accounts';
