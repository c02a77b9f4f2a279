import type { Log } from '../core/log.ts';
import type { Digest } from '../oci/digest.ts';
import { imageRun, type RunIdentity } from '../oci/newer-run.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { readReferrers } from '../storage/referrers.ts';
import type { ImageSource } from '../storage/source.ts';
import { type ChannelState, compareRecords, PROMOTION_TYPE, promotionIn, type RecordedPromotion } from './record.ts';

/** A channel: a tag of a repository. */
export interface Channel {
  readonly source: ImageSource;
  readonly tag: string;
}

/** What a channel means now. */
export interface LiveChannel {
  readonly image: StoredManifest;
  /** The newest record of the image in this channel; undefined where something else moved the tag. */
  readonly head: RecordedPromotion | undefined;
}

/** The run that gave a channel its meaning: that of the record, or else, where a publish moved the tag, the one that made the image. */
export const moverOf = ({ image, head }: LiveChannel): RunIdentity | undefined => (head ? head.run : imageRun(image));

export const channelName = ({ source, tag }: Channel): string => `${source.name}:${tag}`;

/** The records of an image's promotions to the channels of a place, the newest of each last. Throws as the source does. */
export async function recordsIn(source: ImageSource, image: Digest, log: Log): Promise<readonly RecordedPromotion[]> {
  const referrers = await readReferrers(source, image, { artifactType: PROMOTION_TYPE, log });
  return referrers
    .map(({ manifest }) => promotionIn(manifest))
    .filter((one): one is RecordedPromotion => one !== undefined && one.repository === source.name)
    .sort(compareRecords);
}

/** The records of an image's promotions to one channel, the newest last. Throws as the source does. */
export const recordsOf = async (channel: Channel, image: Digest, log: Log): Promise<readonly RecordedPromotion[]> =>
  (await recordsIn(channel.source, image, log)).filter((one) => isOf(one, channel));

const isOf = ({ repository, channel }: RecordedPromotion, { source, tag }: Channel): boolean =>
  repository === source.name && channel === tag;

/** Looks up a channel; undefined where there is no such tag. Throws as the source does. */
export async function readChannel(channel: Channel, log: Log): Promise<LiveChannel | undefined> {
  const image = await channel.source.getManifest(channel.tag);
  if (image === undefined) return undefined;
  const records = await recordsOf(channel, image.digest, log);
  return { image, head: records.at(-1) };
}

/** The record that another one names, where the place still has it and it is of this channel and image. */
export async function recordAt(channel: Channel, state: ChannelState): Promise<RecordedPromotion | undefined> {
  const manifest = state.record && (await channel.source.getManifest(state.record));
  const record = manifest && promotionIn(manifest);
  return record && record.digest === state.digest && isOf(record, channel) ? record : undefined;
}

/** A live channel as records name it. */
export const stateOf = ({ image, head }: LiveChannel): ChannelState => ({ digest: image.digest, record: head?.record });
