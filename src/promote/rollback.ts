import { type Channel, channelName, type LiveChannel, recordAt, stateOf } from '../channel/channel.ts';
import type { ChannelState } from '../channel/record.ts';
import { UserError } from '../core/error.ts';
import type { Digest } from '../oci/digest.ts';

/** Records that are walked at most for one that is named. */
const STEPS = 1000;

/** Where a rollback leads. */
interface RollbackTarget {
  readonly digest: Digest;
  /** Where the next one leads; undefined where there is nothing further back. */
  readonly below: ChannelState | undefined;
  /** Whether the channel meant it before, as far as is recorded. */
  readonly isKnown: boolean;
}

/**
 * What a channel goes back to: what the newest record says, or the image of `to`. What was rolled back from is passed over, so that each
 * rollback leads further back. Throws UserError `reference` where nothing is recorded to go back to.
 */
export async function rollbackTarget(
  channel: Channel,
  live: LiveChannel,
  to: Digest | undefined,
): Promise<RollbackTarget> {
  if (to !== undefined && to === live.image.digest) {
    throw new UserError('reference', `${channelName(channel)} means ${to} already`, {
      hint: 'Look at its history for the one to go back to.',
    });
  }
  let state = live.head?.below;
  for (let step = 0; to !== undefined && state !== undefined && state.digest !== to && step < STEPS; step += 1)
    state = (await recordAt(channel, state))?.below;
  if (state !== undefined && (to === undefined || state.digest === to)) {
    const record = await recordAt(channel, state);
    return { digest: state.digest, below: record?.below, isKnown: true };
  }
  if (to !== undefined) return { digest: to, below: stateOf(live), isKnown: false };
  throw new UserError('reference', `${channelName(channel)} has nothing to roll back to`, {
    hint: live.head
      ? 'What it means now is the first that is recorded. Name another image with --to DIGEST.'
      : 'Nothing records how it came to mean that: promote and rollback record what they do. Name an image with --to DIGEST.',
  });
}
