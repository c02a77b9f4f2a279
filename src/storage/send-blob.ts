import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestMismatch } from '../oci/digest-check.ts';
import { type BlobWriter, BrokenUpload, type ImageDestination } from './destination.ts';
import type { FollowerLane } from './follower.ts';

/** Passes the bytes of a blob to `sink`, from the first to the last; called again, and must do the same, when an upload broke. */
type MakeBlob<T> = (sink: (chunk: Uint8Array) => Promise<void>) => Promise<T>;

/** What is known of a blob when its last byte has passed; its size in bytes. */
interface MadeBlob {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
}

/** One destination's part of a blob that goes to several. */
interface Lane {
  readonly writer: BlobWriter;
  broken?: BrokenUpload;
}

/**
 * Writes one blob, made once, into every destination. Where an upload breaks, the others go on, and the blob is made again
 * for that one. Either all have the blob in the end, or the call rejects and none was left half-written. `committed` is
 * called once, when the first of them have it: what is sent need not be sent again, whatever the others do. `beside` get the
 * bytes once, as far as they keep up. Throws UserError `digest` when the blob comes out otherwise the second time.
 */
export async function sendBlob<T extends MadeBlob>(
  make: MakeBlob<T>,
  destinations: readonly ImageDestination[],
  committed: (made: T) => Promise<void> = async () => {},
  beside: readonly FollowerLane[] = [],
): Promise<T> {
  let lanes: Lane[] = [];
  let first: Descriptor | undefined;
  let isCommitted = false;
  let isFirst = true;
  try {
    for (const destination of destinations) lanes.push({ writer: await destination.openBlob() });
    for (;;) {
      const made = await makeFor(lanes, isFirst ? beside : [], make);
      if (isFirst && made === undefined) for (const lane of beside) lane.drop();
      if (made !== undefined) {
        const { mediaType, digest, size } = made;
        const descriptor = { mediaType, digest, size };
        if (isFirst) for (const lane of beside) lane.end(descriptor);
        if (first && digest !== first.digest) throw digestMismatch('A blob made again', first, digest);
        first = descriptor;
        const commits = await onWhole(lanes, (writer) => writer.commit(descriptor));
        if (!isCommitted && commits.some((commit) => commit.status === 'fulfilled')) {
          isCommitted = true;
          await committed(made);
        }
        throwFailure(commits.filter((commit) => !isBroken(commit)));
      }
      isFirst = false;
      const broken = lanes.flatMap((lane) => lane.broken ?? []);
      if (made !== undefined && broken.length === 0) return made;
      const writers = await Promise.allSettled(broken.map((error) => error.again()));
      lanes = writers.flatMap((writer) => (writer.status === 'fulfilled' ? [{ writer: writer.value }] : []));
      throwFailure(writers);
    }
  } catch (error) {
    for (const lane of beside) lane.drop();
    await Promise.all(lanes.map(({ writer }) => writer.abort()));
    throw error;
  }
}

/** Makes the blob for all lanes; undefined when none of them is left whole. */
async function makeFor<T>(
  lanes: readonly Lane[],
  beside: readonly FollowerLane[],
  make: MakeBlob<T>,
): Promise<T | undefined> {
  const areBroken = (): boolean => lanes.length > 0 && lanes.every((lane) => lane.broken);
  try {
    return await make(async (chunk) => {
      for (const lane of beside) lane.write(chunk);
      const writes = await onWhole(lanes, (writer) => writer.write(chunk));
      throwFailure(areBroken() ? writes : writes.filter((write) => !isBroken(write)));
    });
  } catch (error) {
    if (areBroken()) return undefined;
    throw error;
  }
}

/** Does `work` with every writer that is not broken, to the end of each: none is still busy when it is aborted. */
const onWhole = (
  lanes: readonly Lane[],
  work: (writer: BlobWriter) => Promise<void>,
): Promise<PromiseSettledResult<void>[]> =>
  Promise.allSettled(
    lanes
      .filter((lane) => !lane.broken)
      .map((lane) =>
        work(lane.writer).catch((error: unknown) => {
          if (error instanceof BrokenUpload) lane.broken = error;
          throw error;
        }),
      ),
  );

const isBroken = (result: PromiseSettledResult<unknown>): boolean =>
  result.status === 'rejected' && result.reason instanceof BrokenUpload;

function throwFailure(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
