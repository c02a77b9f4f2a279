import { UserError } from '../core/error.ts';
import type { LayerRecord } from '../definition/layer-record.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { copyBlob } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { Journal } from './journal.ts';
import type { Previous, PreviousLayer } from './previous-image.ts';

/** A layer that holds what is wanted, and for which repositories that is known. */
export interface ReusableLayer {
  readonly descriptor: Descriptor;
  readonly record: LayerRecord;
  /** All that say so; the first is copied from. */
  readonly sources: readonly PreviousLayer[];
  /** Repositories that may have this layer in their image. */
  readonly believers: readonly Repository[];
  /** Repositories for which nobody vouches: the layer is made again for them. */
  readonly others: readonly Repository[];
}

export interface ReuseTools {
  readonly repositories: readonly Repository[];
  readonly previous: Previous;
  readonly journal: Journal;
}

/**
 * The layer under `key` that most repositories may reuse; undefined when there is none of that media type. What an image
 * of a destination says counts for that destination alone: whoever can write a mirror must not choose what gets into the
 * main registry. The journal of this machine and images that the workflow names count for all.
 */
export async function findReusable(
  key: string,
  mediaType: string,
  { repositories, previous, journal }: ReuseTools,
): Promise<ReusableLayer | undefined> {
  const told = previous.layers.get(key) ?? [];
  const best = mostBelieved(told, mediaType, repositories);
  if (best?.others.length === 0) return best;
  const noted = await journal.find(key);
  return noted ? mostBelieved([...told, noted], mediaType, repositories) : best;
}

function mostBelieved(
  candidates: readonly PreviousLayer[],
  mediaType: string,
  repositories: readonly Repository[],
): ReusableLayer | undefined {
  // Another codec is another promise to clients: whoever asks for gzip must not get the zstd of the week before.
  const usable = candidates.filter(({ descriptor }) => descriptor.mediaType === mediaType);
  const same = Map.groupBy(usable, ({ descriptor, record }) =>
    // What a layer says of its base is read back, so it counts as the layer itself does.
    [descriptor.digest, record.diffId, record.base ?? ''].join(' '),
  );
  const layers = [...same.values()].flatMap((sources): ReusableLayer[] => {
    const [first] = sources;
    if (!first) return [];
    const isKnown = (to: Repository): boolean => sources.some(({ repository, forAll }) => forAll || repository === to);
    const { descriptor, record } = first;
    const [believers, others] = [repositories.filter(isKnown), repositories.filter((to) => !isKnown(to))];
    return [{ descriptor, record, sources, believers, others }];
  });
  return layers.sort((a, b) => b.believers.length - a.believers.length)[0];
}

/** Brings a layer to those that believe in it; false when one cannot have it, for instance because it is gone. */
export async function bringReusable(
  { descriptor, sources, believers }: ReusableLayer,
  signal: AbortSignal,
): Promise<boolean> {
  const [source] = sources;
  try {
    for (const to of believers) {
      // The blob of a live manifest in the same repository is there; all others are asked for, mounted or copied.
      if (source && !sources.some(({ repository }) => repository === to))
        await copyBlob(descriptor, source.repository, to, signal);
    }
    return true;
  } catch (error) {
    if (error instanceof UserError && error.code !== 'cancelled') return false;
    throw error;
  }
}

/**
 * After a layer was made for `others` alone: the bytes may differ from those that the believers have (an older codec), and
 * an image has one set of bytes everywhere, so they get them too.
 */
export async function bringToBelievers(
  made: Descriptor,
  { descriptor, believers, others: [from] }: ReusableLayer,
  signal: AbortSignal,
): Promise<void> {
  if (!from || made.digest === descriptor.digest) return;
  for (const to of believers) await copyBlob(made, from, to, signal);
}
