import { type LayerRecord, layerAnnotations, recordOf, storePathsOf } from '../image/annotations.ts';
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
import type { LayerTask } from '../layer/thread-messages.ts';
import { copyBlob } from '../registry/copy.ts';
import type { Repository } from '../registry/repository.ts';
import type { Journal } from './journal.ts';
import type { Previous, PreviousLayer } from './previous-image.ts';
import { pushLayer } from './push-layer.ts';
import { readLayer } from './read-layer.ts';

/** Layers that are still being sent while all threads make others. */
const SENT_BEHIND = 1;

/** Look-ups and copies of layers that are taken over; they only wait. */
const LOOKUPS_AT_ONCE = 16;

interface KeyedLayer {
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
  /** Makes store paths valid in the local store, before they are read. */
  readonly fetch: (paths: readonly string[]) => Promise<void>;
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
    await tools.fetch(missing.flatMap(({ layer }) => pathsRead(layer)));
    const built = await pushAll(missing, label, tools);
    todo.forEach((at, index) => {
      made[at] = built[index];
    });
  }
  return made.filter((layer) => layer !== undefined);
}

/** Store paths that must be on the disk for a layer to be written. */
const pathsRead = (layer: Layer): string[] =>
  (layer.kind === 'store' ? layer.paths : [...layer.copyToRoot, ...layer.sources]).map((info) => info.path);

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

async function pushAll(layers: readonly KeyedLayer[], label: string, tools: LayerTools): Promise<MadeLayer[]> {
  // Before any of them is sent: a collision in the root is found here.
  const contents = await Promise.all(layers.map(({ layer }) => readLayer(layer, tools.tempDir)));
  const total = layers.reduce((sum, { layer }) => sum + narSize(layer), 0);
  const progress = tools.log.progress(`${label}: layers`, total);
  let done = 0;
  let finished = 0;
  const onBytes = (count: number): void => {
    done += count;
    progress.update(done, `${finished} of ${layers.length} layers`);
  };
  const writer = tools.openWriter();
  const stop = (): void => void writer.close();
  tools.signal.addEventListener('abort', stop);
  // The largest first, so that none is left to run alone at the end.
  const order = [...layers.keys()].sort((a, b) => narSize(layers[b]?.layer) - narSize(layers[a]?.layer));
  const made = new Array<MadeLayer>(layers.length);
  try {
    await mapParallel(order, writer.width + SENT_BEHIND, async (at) => {
      const [layer, content] = [layers[at], contents[at]];
      if (!layer || !content) return;
      // More than its share would be left to run alone at the end, so it gets the other cores too.
      const parallel = narSize(layer.layer) * writer.width > total ? writer.width : 1;
      made[at] = await pushOne(layer, { content, compression: tools.compression, parallel }, writer, onBytes, tools);
      finished += 1;
    });
  } finally {
    tools.signal.removeEventListener('abort', stop);
    await writer.close();
    progress.end();
  }
  return made;
}

const narSize = (layer: Layer | undefined): number =>
  layer ? storePathsOf(layer).reduce((sum, info) => sum + info.narSize, 0) : 0;

async function pushOne(
  { layer, key }: KeyedLayer,
  task: LayerTask,
  writer: LayerWriter,
  onBytes: (count: number) => void,
  tools: LayerTools,
): Promise<MadeLayer> {
  let before = 0;
  const written = await pushLayer(
    (sink) =>
      writer.write(task, (chunk, read) => {
        onBytes(read - before);
        before = read;
        return sink(chunk, read);
      }),
    tools.repositories,
  );
  const record = recordOf(layer, key, written);
  checkSame(layer, record, tools.previous.layers.get(key));
  const { mediaType, digest, size } = written;
  const descriptor = { mediaType, digest, size, annotations: layerAnnotations(record) };
  await tools.journal.add({ descriptor, record });
  return madeOf(layer, descriptor, record);
}

/** What has one key must have one content, or layers could not be taken over unread. */
function checkSame(layer: Layer, record: LayerRecord, before: PreviousLayer | undefined): void {
  if (!before || before.record.diffId === record.diffId) return;
  const paths = pathsRead(layer).join(', ') || 'files of the image';
  throw new UserError(
    'digest',
    `a layer of the same content as in ${before.repository.name} came out otherwise: ${record.diffId} here, ${before.record.diffId} there (${paths})`,
    {
      hint:
        'Most likely a store path was changed after it was built: compare with `nix-store --verify-path`, on the ' +
        'machine that published before too. If the image there is not to be trusted, publish once with --no-reuse.',
    },
  );
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
