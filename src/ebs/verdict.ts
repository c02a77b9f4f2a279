import { lookUp } from '../core/lookup.ts';
import type { EbsFailure } from './ebs-failure.ts';

/**
 * What to do about a request that failed: `again` after a wait; `slower`, with fewer requests at once; `later`, since the snapshot is not
 * known everywhere yet; with new `keys`; with the service's time (`clock`); `compare` the bytes with their checksum, for one of the two is
 * not what was sent; or `stop`.
 */
export type EbsVerdict = 'again' | 'slower' | 'later' | 'keys' | 'clock' | 'compare' | 'stop';

const THROTTLED = new Set([
  'RequestThrottledException',
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'ConcurrentLimitExceededException',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'SlowDown',
]);

const ENDED = new Set(['ExpiredTokenException', 'ExpiredToken', 'TokenRefreshRequired']);

const CLOCK = new Set(['RequestTimeTooSkewed', 'RequestExpired']);

/** What the service says of a signature whose time is not its own. */
const WRONG_TIME = /signature (?:expired|not yet current)|request has expired/i;

/**
 * Reasons of refusals that pass: a slow uplink, and two writers of one block, of which one is a request that was given up (EBS direct APIs,
 * ValidationExceptionReason).
 */
const PASSING: Readonly<Record<string, EbsVerdict>> = {
  WRITE_REQUEST_TIMEOUT: 'slower',
  CONFLICTING_BLOCK_UPDATE: 'again',
};

/** Under the reason INVALID_PARAMETER_VALUE, of a slow uplink (nanovms/ops 1268). */
const NOT_READ = /failed to read block data/i;

/** By code and reason, for the status says little: throttling is 400, a quota 402. */
export function verdictOf({ code, reason = '', message, status = 0, action }: EbsFailure): EbsVerdict {
  if (THROTTLED.has(code) || status === 429) return 'slower';
  if (code === 'TimedOut') return 'slower';
  if (code === 'Unreached') return 'again';
  if (code === 'Unreachable') return 'stop';
  if (ENDED.has(code)) return 'keys';
  if (CLOCK.has(code) || (/Signature|AccessDenied/.test(code) && WRONG_TIME.test(message))) return 'clock';
  if (code === 'ValidationException') {
    if (NOT_READ.test(message)) return 'slower';
    // Among others this is what a wrong checksum is.
    const isOfBytes = action === 'PutSnapshotBlock' && reason === 'INVALID_PARAMETER_VALUE';
    return lookUp(PASSING, reason) ?? (isOfBytes ? 'compare' : 'stop');
  }
  if (code === 'ResourceNotFoundException') {
    return reason === '' || reason === 'SNAPSHOT_NOT_FOUND' ? 'later' : 'stop';
  }
  // Of StartSnapshot it says that the token stands for another request.
  if (code === 'ConflictException') return action === 'StartSnapshot' ? 'stop' : 'again';
  return status === 408 || status >= 500 ? 'again' : 'stop';
}
