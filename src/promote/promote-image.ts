import { channelName, type LiveChannel, readChannel, recordsOf, stateOf } from '../channel/channel.ts';
import { type ChannelState, type Promotion, RECORD_BLOB, recordOf } from '../channel/record.ts';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { Clock } from '../core/retry.ts';
import { timeText } from '../core/time.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { moveTags, newerText, type TagMove } from '../publish/move-tags.ts';
import { settleTags } from '../publish/settle-tags.ts';
import type { Target } from '../publish/target.ts';
import type { Repository } from '../storage/destination.ts';
import { listReferrers } from '../storage/list-referrers.ts';
import { judge, type MoveVerdict, nextNumber, type Order } from './verdict.ts';

/** How often a promotion looks again because a channel moved between its look and its write. */
const LOOKS_AGAIN = 5;

/** What is promoted, by whom, and how. */
export interface PromoteOptions extends Pick<Promotion, 'kind' | 'from' | 'run' | 'by'> {
  readonly order: Order;
  /** Whether channels that do not exist are made. */
  readonly mayCreate: boolean;
  /** Whether promotions are recorded. */
  readonly isRecorded: boolean;
  /** What a rollback leads to afterwards, where it is not what the channel meant before. */
  readonly below?: { readonly state: ChannelState | undefined };
  /** What the channels must mean still, where the choice of the image depends on it. */
  readonly expected?: Digest;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What became of a channel. */
export interface PromotedChannel {
  /** Of its repository, as a person writes it. */
  readonly name: string;
  readonly channel: string;
  readonly before: Digest | null;
  readonly outcome: 'moved' | 'same' | 'left';
  /** The newer run that moved it, where it was left alone. */
  readonly newer: string | null;
}

/** A channel with what was seen of it. */
export interface Looked {
  readonly target: Target;
  readonly source: Repository;
  readonly tag: string;
  readonly live: LiveChannel | undefined;
  readonly verdict: MoveVerdict;
}

/**
 * Points channels at an image that every target has: looks at all, records the promotions, looks again, and only then moves tags. After
 * that it looks until no older run can have moved one back, and moves it forward again where one has. Throws UserError; no tag has
 * moved then, or the error says which have.
 */
export async function promoteImage(
  image: StoredManifest,
  targets: readonly Target[],
  options: PromoteOptions,
): Promise<readonly PromotedChannel[]> {
  const { log, signal } = options;
  const recorded = new Map<string, Digest | undefined>();
  for (let look = 1; ; look += 1) {
    const channels = await lookAtChannels(image, targets, options);
    await keepRecords(image, channels, recorded, options);
    signal.throwIfAborted();
    const isUnchanged = await Promise.all(channels.map(meansTheSame));
    if (!isUnchanged.every(Boolean)) {
      if (look < LOOKS_AGAIN) continue;
      throw changed(channels.filter((_, at) => !isUnchanged[at]));
    }
    await moveTags(targets, channels.map(asMove), image, log);
    const { run, clock } = options;
    if (run) await settleTags(image, channels.filter(isToMove).map(asMove), { run, log, clock, signal });
    return channels.map(outcomeOf);
  }
}

const isToMove = ({ verdict }: Looked): boolean => verdict.kind === 'move';

/**
 * Looks at channels without changing anything. Throws UserError `reference` for one that does not exist, `input` where the image is older
 * than what it means, `registry` where it does not mean what is expected.
 */
export async function lookAtChannels(
  image: StoredManifest,
  targets: readonly Target[],
  options: PromoteOptions,
): Promise<readonly Looked[]> {
  const looked: Looked[] = [];
  for (const target of targets) {
    for (const tag of target.tags) looked.push(await lookAtOne(image, target, tag, options));
  }
  return looked;
}

async function lookAtOne(
  image: StoredManifest,
  target: Target,
  tag: string,
  { run, order, mayCreate, expected, log }: PromoteOptions,
): Promise<Looked> {
  const source = target.repository;
  const channel = channelName({ source, tag });
  const live = await readChannel({ source, tag }, log);
  if (live === undefined && !mayCreate) {
    throw new UserError('reference', `the channel ${channel} does not exist`, {
      hint: 'Check its name. To make a new channel, use --new-channel.',
    });
  }
  if (expected !== undefined && live?.image.digest !== expected) {
    throw new UserError('registry', `${channel} meant ${expected} and means ${live?.image.digest ?? 'nothing'} now`, {
      hint: 'No tag was moved: another run moved it meanwhile. Look at its history, and run again.',
    });
  }
  const verdict = judge(image, live, { run, order });
  if (verdict.kind === 'older') {
    throw new UserError(
      'input',
      `${channel} means an image of run ${verdict.run}, which is newer than ${image.digest}`,
      {
        hint: 'No tag was moved. Use rollback to go back to what a channel meant before, or --move-back.',
        docs: 'promote.md#tags-move-forward',
      },
    );
  }
  return { target, source, tag, live, verdict };
}

/** Records promotions before their tags move, so that none is without its record; once for each meaning of a channel. */
async function keepRecords(
  image: StoredManifest,
  channels: readonly Looked[],
  recorded: Map<string, Digest | undefined>,
  options: PromoteOptions,
): Promise<void> {
  const isKept = ({ source, tag, live }: Looked): boolean => {
    const name = channelName({ source, tag });
    return recorded.has(name) && recorded.get(name) === live?.image.digest;
  };
  const wanted = options.isRecorded ? channels.filter((channel) => isToMove(channel) && !isKept(channel)) : [];
  const repositories = new Set(wanted.map(({ source }) => source));
  await Promise.all(
    [...repositories].map((to) =>
      recordAll(
        image,
        wanted.filter(({ source }) => source === to),
        options,
      ),
    ),
  );
  for (const { source, tag, live } of wanted) recorded.set(channelName({ source, tag }), live?.image.digest);
}

/** Records promotions to channels of one repository, which then lists them all at once. */
async function recordAll(image: StoredManifest, channels: readonly Looked[], options: PromoteOptions): Promise<void> {
  const { kind, from, run, by, below, log, clock, signal } = options;
  const [first] = channels;
  if (first === undefined) return;
  const to = first.source;
  const names = channels.map(channelName).join(', ');
  const records: StoredManifest[] = [];
  for (const { source, tag, live } of channels) {
    const previous = live && stateOf(live);
    const own = await recordsOf({ source, tag }, image.digest, log);
    const [number, time] = [nextNumber(live, own), timeText(Math.floor(clock.now() / 1000))];
    const place = { repository: to.name, channel: tag };
    records.push(
      recordOf(image, { ...place, kind, number, previous, below: below ? below.state : previous, from, time, run, by }),
    );
  }
  try {
    await to.putBlob(RECORD_BLOB.descriptor, RECORD_BLOB.bytes);
    for (const record of records) await to.putManifest(record);
    await listReferrers(to, records, { clock, signal });
  } catch (error) {
    throw notRecorded(error, names);
  }
  log.info(`${names}: recorded as ${records.map(({ digest }) => digest).join(', ')}`);
}

function notRecorded(error: unknown, channel: string): unknown {
  if (!(error instanceof UserError) || error.code === 'cancelled') return error;
  return new UserError(error.code, `cannot record the promotion to ${channel}: ${error.message}`, {
    hint: 'No tag was moved. To move tags without a history, which rollback needs, use --no-record.',
    docs: 'promote.md#rollback',
    cause: error.cause,
  });
}

/** Whether a channel still means what it meant at the look. */
async function meansTheSame({ source, tag, live, verdict }: Looked): Promise<boolean> {
  if (verdict.kind !== 'move') return true;
  const now = await source.getManifest(tag);
  return now?.digest === live?.image.digest;
}

const asMove = ({ source, tag, live, verdict }: Looked): TagMove => ({
  repository: source,
  tag,
  before: live?.image.digest ?? 'none',
  newer: verdict.kind === 'newer' ? newerText(verdict.run) : undefined,
});

const outcomeOf = ({ source, tag, live, verdict }: Looked): PromotedChannel => ({
  name: source.name,
  channel: tag,
  before: live?.image.digest ?? null,
  outcome: verdict.kind === 'move' ? 'moved' : verdict.kind === 'same' ? 'same' : 'left',
  newer: verdict.kind === 'newer' ? verdict.run : null,
});

function changed(channels: readonly Looked[]): UserError {
  const names = channels.map(channelName).join(', ');
  return new UserError('registry', `${names} kept moving while this promotion looked`, {
    hint: 'No tag was moved: others write it at the same time. Run again.',
  });
}
