import { UserError } from '../core/error.ts';
import type { BaseRecord } from '../definition/base-record.ts';
import type { LayerRecord } from '../definition/layer-record.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Origin } from '../oci/origin.ts';
import { copyBlobToAll } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { Journal } from './journal.ts';
import { formAnnotations, hasForm, type LayerForm } from './layer-form.ts';
import { NOTHING_PREVIOUS, type Previous, type PreviousLayer } from './previous-image.ts';

/** What an image that is written may reuse: of images that were published before, and of an interrupted publish. */
export interface Reuse {
  /** Store hashes of the layers of the image whose plan is to be kept, in their order. */
  readonly groups: Previous['groups'];
  /** All that the layers of that image hold. */
  readonly planned: Previous['planned'];
  /** Whether layers are made again although they could be reused. */
  readonly isRecompressing: boolean;
  /** What earlier images say of the bases that they were put on. */
  readonly bases: readonly BaseRecord[];
  /** Whether images before have layers at all. */
  readonly hasLayers: boolean;
  /** The origin of the image of a key that is published. */
  originOf(key: string): Origin | undefined;
  /** All that images before say of the layer of a key. */
  layersOf(key: string): readonly PreviousLayer[];
  /**
   * The layer of a key that most of `destinations` may reuse; undefined when there is none in that form. What an
   * image of a destination says counts for that destination alone: whoever can write a mirror must not choose what gets
   * into the main registry. The journal of this machine and images that the workflow names count for all.
   */
  find(key: string, form: LayerForm, destinations: readonly Repository[]): Promise<Reusable | undefined>;
  /** Whether a destination surely has a manifest, with all that it names. */
  hasManifest(destination: Repository, manifest: Digest): boolean;
  /** Notes a layer that a destination has now, for a publish that continues where this one was interrupted. */
  remember(layer: { readonly descriptor: Descriptor; readonly record: LayerRecord }): Promise<void>;
  /** The same without layers that are gone; without any layer where none of them is: what is said cannot be relied on then. */
  without(gone: ReadonlySet<Digest>): Reuse;
}

/** A layer that holds what is wanted, and for which destinations that is known. */
export interface Reusable {
  readonly descriptor: Descriptor;
  readonly record: LayerRecord;
  /** All that say so; the first is copied from. */
  readonly sources: readonly PreviousLayer[];
  /** Destinations that may have this layer in their image. */
  readonly knownAt: readonly Repository[];
  /** Destinations for which nobody vouches: the layer is made again for them. */
  readonly unknownAt: readonly Repository[];
}

/** With `recompress`, layers are made again although they could be reused; plan and origin are still kept. */
export function createReuse(
  previous: Previous,
  journal: Journal,
  { recompress = false, gone = new Set<Digest>() }: { recompress?: boolean; gone?: ReadonlySet<Digest> } = {},
): Reuse {
  const isThere = ({ descriptor }: PreviousLayer): boolean => !gone.has(descriptor.digest);
  const layersOf = (key: string): readonly PreviousLayer[] => (previous.layers.get(key) ?? []).filter(isThere);
  return {
    groups: previous.groups,
    planned: previous.planned,
    isRecompressing: recompress,
    bases: previous.bases,
    hasLayers: previous.layers.size > 0,
    originOf: previous.originOf,
    layersOf,
    find: async (key, form, destinations) => {
      if (recompress) return undefined;
      const told = layersOf(key);
      const best = mostKnown(told, form, destinations);
      if (best?.unknownAt.length === 0) return best;
      const noted = await journal.find(key);
      return noted && isThere(noted) ? mostKnown([...told, noted], form, destinations) : best;
    },
    hasManifest: (destination, manifest) => !recompress && previous.has(destination, manifest),
    remember: (layer) => journal.add(layer),
    without: (more) => {
      const { has, layers } = NOTHING_PREVIOUS;
      if (more.size > 0)
        return createReuse({ ...previous, has }, journal, { recompress, gone: new Set([...gone, ...more]) });
      const forgetful = { ...journal, find: async () => undefined };
      return createReuse({ ...previous, has, layers }, forgetful, { recompress });
    },
  };
}

function mostKnown(
  candidates: readonly PreviousLayer[],
  form: LayerForm,
  destinations: readonly Repository[],
): Reusable | undefined {
  const usable = candidates.filter(({ descriptor }) => hasForm(descriptor, form));
  const same = Map.groupBy(usable, ({ descriptor, record }) =>
    // What a layer says of its base or of its files is read back, so it counts as the layer itself does.
    [descriptor.digest, record.diffId, record.base ?? '', JSON.stringify(formAnnotations(descriptor, form))].join(' '),
  );
  const layers = [...same.values()].flatMap((sources): Reusable[] => {
    const [first] = sources;
    if (!first) return [];
    const isKnown = (to: Repository): boolean => sources.some(({ repository, forAll }) => forAll || repository === to);
    const { descriptor, record } = first;
    const [knownAt, unknownAt] = [destinations.filter(isKnown), destinations.filter((to) => !isKnown(to))];
    return [{ descriptor, record, sources, knownAt, unknownAt }];
  });
  return layers.sort((a, b) => b.knownAt.length - a.knownAt.length)[0];
}

/**
 * Copies or mounts a layer to those destinations for which it is known; false when one cannot have it, for instance
 * because it is gone.
 */
export async function copyOrMount({ descriptor, sources, knownAt }: Reusable, signal: AbortSignal): Promise<boolean> {
  const [source] = sources;
  try {
    // The blob of a live manifest in the same repository is there; all others are asked for, mounted or copied.
    const asked = knownAt.filter((to) => !sources.some(({ repository }) => repository === to));
    if (source) await copyBlobToAll(descriptor, source.repository, asked, { signal });
    return true;
  } catch (error) {
    if (error instanceof UserError && error.code !== 'cancelled') return false;
    throw error;
  }
}

/**
 * After a layer was made for the destinations that did not know it: the bytes may differ from those that the others have
 * (an older codec), and an image has one set of bytes everywhere, so they get them too.
 */
export async function copyToKnown(
  made: Descriptor,
  { descriptor, knownAt, unknownAt: [from] }: Reusable,
  signal: AbortSignal,
): Promise<void> {
  if (!from || made.digest === descriptor.digest) return;
  await copyBlobToAll(made, from, knownAt, { signal });
}
