import { expect, test } from 'vitest';
import { type EbsFailure, readFailure } from '../../../src/ebs/ebs-failure.ts';
import { type EbsVerdict, verdictOf } from '../../../src/ebs/verdict.ts';

const STEP = { action: 'PutSnapshotBlock', region: 'eu-central-1', what: 'cannot send block 3 of snap-1' } as const;

const failed = (code: string, more: Partial<EbsFailure> = {}): EbsFailure => ({ ...STEP, code, message: '', ...more });

test.each<[EbsVerdict, EbsFailure]>([
  // Throttling is 400 with several codes and reasons (awslabs/coldsnap 451).
  ...['ACCOUNT_THROTTLED', 'RESOURCE_LEVEL_THROTTLE', 'DEPENDENCY_REQUEST_THROTTLED'].map(
    (reason): [EbsVerdict, EbsFailure] => ['slower', failed('RequestThrottledException', { status: 400, reason })],
  ),
  ['slower', failed('ThrottlingException', { status: 400 })],
  ['slower', failed('ConcurrentLimitExceededException', { status: 400, action: 'StartSnapshot' })],
  ['slower', failed('Unexpected', { status: 429 })],
  ['slower', failed('TimedOut')],
  ['again', failed('Unreached')],
  ['stop', failed('Unreachable')],
  ['again', failed('InternalServerException', { status: 500 })],
  ['again', failed('Unexpected', { status: 503 })],
  ['again', failed('Unexpected', { status: 408 })],
  ['stop', failed('ServiceQuotaExceededException', { status: 402, reason: 'DEPENDENCY_SERVICE_QUOTA_EXCEEDED' })],
  ['stop', failed('AccessDeniedException', { status: 403, reason: 'UNAUTHORIZED_ACCOUNT' })],
  ['stop', failed('UnrecognizedClientException', { status: 403 })],
  ['keys', failed('ExpiredTokenException', { status: 403 })],
  ['keys', failed('ExpiredToken', { status: 400 })],
  [
    'clock',
    failed('InvalidSignatureException', { status: 403, message: 'Signature expired: 1 is now earlier than 2' }),
  ],
  ['clock', failed('InvalidSignatureException', { status: 403, message: 'Signature not yet current: 2 is later' })],
  ['stop', failed('InvalidSignatureException', { status: 403, message: 'The signature we calculated does not match' })],
  ['clock', failed('RequestTimeTooSkewed', { status: 403 })],
  // Two refusals of one code and reason, of which one passes (nanovms/ops 1268).
  [
    'slower',
    failed('ValidationException', { reason: 'INVALID_PARAMETER_VALUE', message: 'Failed to read block data' }),
  ],
  ['compare', failed('ValidationException', { reason: 'INVALID_PARAMETER_VALUE', message: 'The checksum is wrong' })],
  ['stop', failed('ValidationException', { reason: 'INVALID_PARAMETER_VALUE', action: 'CompleteSnapshot' })],
  ['slower', failed('ValidationException', { reason: 'WRITE_REQUEST_TIMEOUT' })],
  ['again', failed('ValidationException', { reason: 'CONFLICTING_BLOCK_UPDATE' })],
  ['stop', failed('ValidationException', { reason: 'INVALID_SNAPSHOT_ID' })],
  ['stop', failed('ValidationException', { reason: 'constructor' })],
  ['later', failed('ResourceNotFoundException', { status: 404, reason: 'SNAPSHOT_NOT_FOUND' })],
  ['later', failed('ResourceNotFoundException', { status: 404 })],
  ['stop', failed('ResourceNotFoundException', { status: 404, reason: 'DEPENDENCY_RESOURCE_NOT_FOUND' })],
  ['again', failed('ConflictException', { status: 409 })],
  ['stop', failed('ConflictException', { status: 409, action: 'StartSnapshot' })],
  ['stop', failed('Unexpected', { status: 418 })],
])('%s: %j', (verdict, failure) => {
  expect(verdictOf(failure)).toBe(verdict);
});

test('a failure is read from the header or the body, whatever is around its name', () => {
  const answer = (status: number, headers: Record<string, string>) => ({ status, headers: new Headers(headers) });
  const said = '{"Message":"Too many","Reason":"ACCOUNT_THROTTLED"}';
  const headers = {
    'x-amzn-errortype': 'RequestThrottledException:http://internal.amazon.com/coral/',
    'x-amzn-requestid': 'r-1',
    date: 'Sun, 29 Nov 2026 06:00:00 GMT',
  };
  expect(readFailure(STEP, answer(400, headers), said)).toEqual({
    ...STEP,
    code: 'RequestThrottledException',
    message: 'Too many',
    reason: 'ACCOUNT_THROTTLED',
    status: 400,
    requestId: 'r-1',
    serverTime: Date.UTC(2026, 10, 29, 6),
  });
  const body = '{"__type":"com.amazon.ebs#ExpiredTokenException","message":"ended"}';
  expect(readFailure(STEP, answer(403, {}), body)).toMatchObject({ code: 'ExpiredTokenException', message: 'ended' });
  // A proxy's page.
  expect(readFailure(STEP, answer(502, {}), '<html>')).toMatchObject({
    code: 'Unexpected',
    message: 'it answered 502',
  });
});
