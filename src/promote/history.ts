import { type Channel, channelName, readChannel, recordAt } from '../channel/channel.ts';
import type { ChannelState, RecordedPromotion } from '../channel/record.ts';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { Digest } from '../oci/digest.ts';
import { ORIGIN_ANNOTATION } from '../oci/origin.ts';
import { parseManifest } from '../oci/read-manifest.ts';

/** Something that a channel meant. */
export interface HistoryEntry {
  readonly digest: Digest;
  /** How it came there; null where nothing records it. */
  readonly promotion: RecordedPromotion | null;
  /** Whether the place still has it. */
  readonly isThere: boolean;
  /** The commit that it was made of, where it says so. */
  readonly commit: string | null;
  readonly version: string | null;
}

/** What a channel has meant. */
export interface ChannelHistory {
  readonly channel: string;
  /** The newest first: the first is what it means now. */
  readonly entries: readonly HistoryEntry[];
  /** Whether older ones are known that were not asked for. */
  readonly hasMore: boolean;
}

/**
 * What a channel has meant, from now backwards along the records, at most `limit` entries. Ends where the channel began, where something
 * other than a promotion moved it, or where a record is gone. Throws UserError `reference` where there is no such tag.
 */
export async function historyOf(channel: Channel, limit: number, log: Log): Promise<ChannelHistory> {
  const live = await readChannel(channel, log);
  if (live === undefined) throw noChannel(channel);
  const entries: HistoryEntry[] = [];
  const seen = new Set<Digest>();
  let state: ChannelState | undefined = { digest: live.image.digest };
  let record: RecordedPromotion | undefined = live.head;
  while (state !== undefined && entries.length < limit) {
    entries.push(await entryOf(channel, state.digest, record));
    // Records name those before them, so a circle cannot come about but by a broken hash.
    if (record !== undefined && seen.has(record.record)) break;
    if (record !== undefined) seen.add(record.record);
    state = record?.previous;
    record = state && (await recordAt(channel, state));
  }
  return { channel: channelName(channel), entries, hasMore: state !== undefined };
}

/** The error for a channel that is not there. */
export const noChannel = (channel: Channel): UserError =>
  new UserError('reference', `the channel ${channelName(channel)} does not exist`, {
    hint: 'Check its name; promote with --new-channel makes one.',
  });

async function entryOf(
  { source }: Channel,
  digest: Digest,
  promotion: RecordedPromotion | undefined,
): Promise<HistoryEntry> {
  const manifest = await source.getManifest(digest);
  const annotations = (manifest && parseManifest(manifest).annotations) ?? {};
  return {
    digest,
    promotion: promotion ?? null,
    isThere: manifest !== undefined,
    commit: annotations[ORIGIN_ANNOTATION.revision] ?? null,
    version: annotations[ORIGIN_ANNOTATION.version] ?? null,
  };
}
