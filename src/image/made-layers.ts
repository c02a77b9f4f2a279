import { canonicalJson } from '../core/canonical-json.ts';
import { mapParallel } from '../core/parallel.ts';
import { type Layer, layerKey } from '../definition/layer.ts';
import { type LayerRecord, layerAnnotations, recordOf } from '../definition/layer-record.ts';
import { type History, historyEntry } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { KeyedLayer, LayerTools } from './layer-tools.ts';
import { makeNewLayers } from './new-layers.ts';
import { bringReusable, findReusable } from './reusable-layer.ts';

/** Look-ups and copies of layers that are taken over; they only wait. */
const LOOKUPS_AT_ONCE = 16;

/** A layer that every repository has. */
export interface MadeLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly history: History;
}

/** Sees to it that every repository has every layer: reused where one of the same content is known, made otherwise. */
export async function makeLayers(layers: readonly Layer[], label: string, tools: LayerTools): Promise<MadeLayer[]> {
  const found = await mapParallel([...layers], LOOKUPS_AT_ONCE, (layer) => lookUp(layer, tools));
  const made = found.map((each) => ('made' in each ? each.made : undefined));
  const todo = found.flatMap((each, at) => ('made' in each ? [] : [{ at, keyed: each }]));
  if (made.length > todo.length)
    tools.log.info(`${label}: reusing ${made.length - todo.length} of ${made.length} layers`);
  if (todo.length > 0) {
    const built = await makeNewLayers(
      todo.map(({ keyed }) => keyed),
      label,
      tools,
    );
    todo.forEach(({ at, keyed }, index) => {
      const fresh = built[index];
      if (fresh) made[at] = madeOf(keyed.layer, fresh.descriptor, fresh.record);
    });
  }
  return made.filter((layer) => layer !== undefined);
}

/** A layer that every repository may reuse and has, or one that is to be made. */
async function lookUp(layer: Layer, tools: LayerTools): Promise<{ readonly made: MadeLayer } | KeyedLayer> {
  const key = layerKey(layer);
  const reusable = tools.recompress ? undefined : await findReusable(key, tools.mediaType, tools);
  if (!reusable || !(await bringReusable(reusable, tools.signal))) return { layer, key };
  if (reusable.others.length > 0) return { layer, key, reusable };
  return { made: madeOf(layer, reusable.descriptor, recordOf(layer, key, reusable.record)) };
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
