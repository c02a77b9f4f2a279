import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Layer } from '../definition/layer.ts';
import { type LayerRecord, layerAnnotations, recordOf, storePathsOf } from '../definition/layer-record.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import type { LayerTask } from '../layer/thread-messages.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { pathsRead, type ReadyLayer, readyRoot, readyStore } from './from-definition/ready-layer.ts';
import type { KeyedLayer, LayerTools } from './layer-tools.ts';
import type { PreviousLayer } from './previous-image.ts';
import { bringToBelievers } from './reusable-layer.ts';

/** Layers that are still being sent while all threads make others. */
const SENT_BEHIND = 1;

/** A layer that every repository has now. */
export interface NewLayer {
  readonly descriptor: Descriptor;
  readonly record: LayerRecord;
}

/**
 * Makes layers and brings them to every repository, the largest first, so that none is left to run alone at the end.
 * Throws UserError `definition` before anything is sent when the root cannot be put together, `file`, `registry`, and
 * `digest` for a layer that comes out otherwise than under the same key before.
 */
export async function makeNewLayers(
  layers: readonly KeyedLayer[],
  label: string,
  tools: LayerTools,
): Promise<NewLayer[]> {
  const paths = await tools.openPaths(layers.map(({ layer }) => pathsRead(layer)));
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
  const made = new Array<NewLayer>(layers.length);
  const makeOne = async (at: number, keyed: KeyedLayer, ready: ReadyLayer): Promise<void> => {
    // More than its share would be left to run alone at the end, so it gets the other cores too.
    const parallel = narSize(keyed.layer) * writer.width > total ? writer.width : 1;
    try {
      const task = { content: ready.content, compression: tools.compression, parallel };
      made[at] = await makeLayer(keyed, { ...task, base: ready.base }, writer, onBytes, tools);
      finished += 1;
    } finally {
      await ready.release();
    }
  };
  const order = [...layers.entries()].sort(([, a], [, b]) => narSize(b.layer) - narSize(a.layer));
  const roots = new Map<number, ReadyLayer>();
  try {
    for (const [at, { layer }] of order) {
      if (layer.kind === 'root') roots.set(at, await readyRoot(layer, paths, tools.tempDir, tools.facts));
    }
    await mapParallel(order, writer.width + SENT_BEHIND, async ([at, keyed]) => {
      const { layer } = keyed;
      const ready = layer.kind === 'store' ? await readyStore(layer, paths) : roots.get(at);
      if (ready) await makeOne(at, keyed, ready);
    });
  } finally {
    tools.signal.removeEventListener('abort', stop);
    await writer.close();
    progress.end();
  }
  return made;
}

const narSize = (layer: Layer): number => storePathsOf(layer).reduce((sum, info) => sum + info.narSize, 0);

async function makeLayer(
  { layer, key, reusable }: KeyedLayer,
  { base, ...task }: LayerTask & Pick<ReadyLayer, 'base'>,
  writer: LayerWriter,
  onBytes: (count: number) => void,
  { repositories, previous, journal, signal }: LayerTools,
): Promise<NewLayer> {
  let before = 0;
  let made: NewLayer | undefined;
  const written = await sendBlob(
    (sink) =>
      writer.write(task, (chunk, read) => {
        // A layer that is made again counts once.
        onBytes(Math.max(0, read - before));
        before = Math.max(before, read);
        return sink(chunk);
      }),
    reusable?.others ?? repositories,
    async ({ mediaType, digest, size, diffId, unpackedSize }) => {
      const record = recordOf(layer, key, { diffId, unpackedSize, base });
      for (const before of previous.layers.get(key) ?? []) checkSame(layer, record, before);
      made = { descriptor: { mediaType, digest, size, annotations: layerAnnotations(record) }, record };
      await journal.add(made);
    },
  );
  if (made && reusable) await bringToBelievers(made.descriptor, reusable, signal);
  if (made) return made;
  throw new Error(`${written.digest} is in no repository`);
}

/** What has one key must have one content, or layers could not be reused unread. */
function checkSame(layer: Layer, record: LayerRecord, before: PreviousLayer): void {
  if (before.record.diffId === record.diffId) return;
  const paths = pathsRead(layer).join(', ') || 'files of the image';
  throw new UserError(
    'digest',
    `a layer of the same content as in ${before.repository.name} differs: ${record.diffId} here, ${before.record.diffId} there (${paths})`,
    {
      hint:
        'Most likely a store path was changed after it was built: compare with `nix-store --verify-path`, on the ' +
        'machine that published before too. If the image there is not to be trusted, publish once with --no-reuse.',
    },
  );
}
