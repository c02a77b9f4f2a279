import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import { type Journal, NO_JOURNAL, openJournal } from '../image/journal.ts';
import { NOTHING_PREVIOUS, type PreviousSource, previousImages, type ReadPrevious } from '../image/previous-image.ts';
import type { Origin } from '../oci/origin.ts';
import type { Target } from '../publish/target.ts';
import type { Location } from '../storage/location.ts';
import { type ReadTag, readTagsOnce } from '../storage/read-tag.ts';
import { imageOrigin, type OriginInputs } from './origin.ts';
import { inFolder, type Places } from './places.ts';
import { stateFolder } from './state-folder.ts';

/** What a command's inputs say about layers of images before. */
export interface ReuseInputs extends OriginInputs {
  readonly reuse: boolean;
  readonly reuseFrom: readonly Location[];
  readonly recompress: boolean;
}

export interface ReuseSources {
  /** What images that are made now say of this run. */
  readonly origin: Origin;
  readonly readPrevious: ReadPrevious;
  readonly journal: Journal;
  readonly recompress: boolean;
  /** What is published, and how it is read; positions of disks are kept whether chunks are reused or not. */
  readonly previous: readonly PreviousSource[];
  readonly read: ReadTag;
  readonly isReusing: boolean;
}

/**
 * Where layers may be reused from: the tags that are about to be moved, each for its own destination, whose writers could
 * as well write the new image there; and what the workflow names, for all. Nothing else is ever read. `opened` closes what was
 * named, when nothing of it is read any more.
 */
export async function reuseOf(
  inputs: ReuseInputs,
  targets: readonly Pick<Target, 'repository' | 'tags'>[],
  { places, host, opened }: { readonly places: Places; readonly host: Host; readonly opened: AsyncDisposableStack },
  read: ReadTag = readTagsOnce(),
): Promise<ReuseSources> {
  const { reuse, recompress } = inputs;
  const origin = await imageOrigin(inputs, host);
  const own = targets.flatMap(({ repository, tags }) =>
    tags.map((reference) => ({ source: repository, reference, forAll: false })),
  );
  const common = { recompress, origin, read, isReusing: reuse };
  if (!reuse) return { ...common, readPrevious: async () => NOTHING_PREVIOUS, journal: NO_JOURNAL, previous: own };
  const named = await Promise.all(
    inputs.reuseFrom.map(async (place) => {
      const image = await places.openForReading(inFolder(place, host.cwd));
      opened.defer(() => image.source.close());
      return { ...image, forAll: true };
    }),
  );
  const previous = [...own, ...named];
  const repositories = targets.map((target) => target.repository);
  // A runner's disk is gone with the job.
  const journal =
    host.kind === 'runner' ? NO_JOURNAL : await openJournal(join(stateFolder(host), 'journal'), repositories, host.log);
  return { ...common, readPrevious: previousImages(previous, host.log, read), journal, previous };
}
