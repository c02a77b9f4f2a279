import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import {
  artifactFailure,
  isBrokenTransfer,
  isLostConnection,
  isNameTaken,
} from '../../../src/github/artifact-failure.ts';

const restError = (statusCode: number, message: string): Error => Object.assign(new Error(message), { statusCode });

const refused = (status: string): Error =>
  new Error(`Failed to CreateArtifact: Received non-retryable error: Failed request: ${status}`);

const DOING = 'upload the artifact a.tar';

// The messages are those of @actions/artifact 6.2.1, as the integration tests see them too.
test.each<[string, unknown, string, RegExp]>([
  [
    'a full storage',
    new Error('Failed to CreateArtifact: Artifact storage quota has been hit. Unable to upload.\nMore info on it'),
    "the account's storage for artifacts is full",
    /Delete old artifacts/,
  ],
  [
    'a name that is taken',
    refused('(409) Conflict: an artifact with this name already exists on the workflow run'),
    'the run has an artifact of this name already',
    /double in the matrix/,
  ],
  ['an expired URL', restError(403, 'Server failed to authenticate'), 'the storage refused the URL', /too long/],
  ['a broken storage', restError(500, 'oops\nmore'), 'the storage answered 500: oops', /Such failures pass/],
  ['a bad token', refused('(401) Unauthorized: x'), 'did not accept the token: Failed request', /runtime token/],
  ['no JWT', new Error('Invalid token specified: missing part #2'), 'did not accept the token', /runtime token/],
  [
    'no permission',
    refused('(403) Forbidden: not yours'),
    'the service does not permit it: Failed request: (403) Forbidden: not yours',
    /no entry under `permissions`/,
  ],
  [
    'a lost connection',
    new Error('Failed to ListArtifacts: Unable to make request: ECONNRESET\nIf you are using self-hosted runners, …'),
    'the connection failed (ECONNRESET)',
    /self-hosted/,
  ],
  [
    'a download in vain',
    new Error('Unable to download and extract artifact: Artifact download failed after 5 retries.'),
    'the storage did not send it',
    /ACTIONS_STEP_DEBUG/,
  ],
  [
    'a service that is down',
    new Error('Failed to ListArtifacts: Failed to make request after 5 attempts: Failed request: (503) Unavailable: x'),
    'the service did not answer properly: Failed request: (503) Unavailable: x',
    /githubstatus/,
  ],
  [
    'an artifact of an earlier attempt that is listed alone',
    new Error(
      'Failed to GetSignedArtifactURL: Received non-retryable error: Failed request: (404) Not Found: workflow run not found',
    ),
    'GitHub lists it and does not hand it out to this attempt of the run',
    /Run all jobs again/,
  ],
  [
    'a lost artifact',
    Object.assign(new Error('No artifacts found for ID: 1\nAre you trying …'), { name: 'ArtifactNotFoundError' }),
    'it is gone',
    /Run all jobs again/,
  ],
  ['what nobody foresaw', new Error('strange\nthing'), 'strange', /re-run/],
  ['what is no error', 'text', 'text', /re-run/],
])('%s', (_what, error, message, hint) => {
  const failure = artifactFailure(error, DOING);
  expect(failure.code).toBe('handover');
  expect(failure.message).toContain(`cannot ${DOING}: `);
  expect(failure.message).toContain(message);
  expect(failure.message).not.toContain('\n');
  expect(failure.hint).toMatch(hint);
  expect(failure.cause).toBe(error);
});

test('a UserError stays what it is', () => {
  const error = new UserError('cancelled', 'cancelled');
  expect(artifactFailure(error, DOING)).toBe(error);
});

test.each([
  ['Failed to ListArtifacts: Unable to make request: ENOTFOUND\nIf', true],
  ['Failed to ListArtifacts: Failed to make request after 5 attempts: x', false],
  ['x', false],
])('%j is a lost connection: %s', (message, expected) => {
  expect(isLostConnection(new Error(message))).toBe(expected);
});

test.each<[unknown, boolean, boolean]>([
  [restError(429, 'slow down'), true, false],
  [restError(403, 'expired'), true, false],
  [new Error('Unable to make request: ECONNRESET\nIf'), true, false],
  [new Error('Upload progress stalled.'), true, false],
  [new Error('Failed to CreateArtifact: Unable to make request: ECONNRESET\nIf'), false, false],
  [refused('(409) Conflict: an artifact with this name already exists on the workflow run'), false, true],
  [refused('(403) Forbidden: x'), false, false],
  [new TypeError('bug'), false, false],
])('%s: a broken transfer %s, a taken name %s', (error, isBroken, isTaken) => {
  expect(isBrokenTransfer(error)).toBe(isBroken);
  expect(isNameTaken(error)).toBe(isTaken);
});
