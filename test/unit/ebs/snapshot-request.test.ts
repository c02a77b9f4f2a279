import { expect, test } from 'vitest';
import { endpointOf } from '../../../src/ebs/ebs-settings.ts';
import { checkOptions, type SnapshotOptions, snapshotRequest } from '../../../src/ebs/snapshot-request.ts';

const GIB = 1024 ** 3;
const OPTIONS: SnapshotOptions = { clientToken: 'sha256:1', tags: { b: '2', a: '1' }, description: 'disk' };
const DISK = { size: GIB, digests: new Uint8Array(64) };
const FIRST = { generation: 0, parent: undefined };
const KEY = 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab';

test('the request has whole GiB, tags in order, and a token of 64 characters', () => {
  expect(snapshotRequest({ ...DISK, size: GIB + 512 }, 'eu-central-1', OPTIONS, FIRST)).toEqual({
    VolumeSize: 2,
    Timeout: 60,
    Description: 'disk',
    Tags: [
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '2' },
    ],
    ClientToken: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test('the token is the same for the same request, and another for any other', () => {
  const token = (options: SnapshotOptions, region = 'eu-central-1', more = FIRST): string =>
    snapshotRequest(DISK, region, options, more).ClientToken;
  expect(token({ ...OPTIONS, tags: { a: '1', b: '2' } })).toBe(token(OPTIONS));
  const parent = { snapshotId: 'snap-12345678', blocks: { size: GIB, digests: new Uint8Array() } };
  const others = [
    token(OPTIONS),
    token({ ...OPTIONS, clientToken: 'sha256:2' }),
    token({ ...OPTIONS, tags: {} }),
    token({ ...OPTIONS, description: 'other' }),
    token({ ...OPTIONS, timeoutMinutes: 30 }),
    token({ ...OPTIONS, kmsKeyArn: KEY }),
    token(OPTIONS, 'eu-west-1'),
    snapshotRequest({ ...DISK, digests: new Uint8Array(64).fill(1) }, 'eu-central-1', OPTIONS, FIRST).ClientToken,
    snapshotRequest(DISK, 'eu-central-1', OPTIONS, { generation: 1, parent: undefined }).ClientToken,
    snapshotRequest(DISK, 'eu-central-1', OPTIONS, { generation: 0, parent }).ClientToken,
  ];
  expect(new Set(others).size).toBe(others.length);
});

test('a key is asked for, but not over a parent, whose encryption the child has', () => {
  const options = { ...OPTIONS, kmsKeyArn: KEY };
  expect(snapshotRequest(DISK, 'eu-central-1', options, FIRST)).toMatchObject({ Encrypted: true, KmsKeyArn: KEY });
  const parent = { snapshotId: 'snap-12345678', blocks: { size: GIB, digests: new Uint8Array() } };
  const child = snapshotRequest(DISK, 'eu-central-1', options, { generation: 0, parent });
  expect(child.ParentSnapshotId).toBe('snap-12345678');
  expect(Object.keys(child)).not.toContain('Encrypted');
  expect(Object.keys(child)).not.toContain('KmsKeyArn');
});

test.each<[string, Partial<SnapshotOptions>]>([
  ['the description of a snapshot has 256 characters', { description: 'x'.repeat(256) }],
  ['a snapshot has 51 tags', { tags: Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`t${at}`, ''])) }],
  ['"" is not a valid name of a tag', { tags: { '': 'x' } }],
  ['"aws:x" is not a valid name of a tag', { tags: { 'aws:x': 'x' } }],
  [`"${'k'.repeat(128)}" is not a valid name of a tag`, { tags: { ['k'.repeat(128)]: 'x' } }],
  ['the tag a has 256 characters', { tags: { a: 'x'.repeat(256) } }],
  ['9 minutes is not a valid limit for a snapshot', { timeoutMinutes: 9 }],
  ['4321 minutes is not a valid limit for a snapshot', { timeoutMinutes: 4321 }],
  ['NaN minutes is not a valid limit for a snapshot', { timeoutMinutes: Number.NaN }],
  ['"alias/own" is not the ARN of a key', { kmsKeyArn: 'alias/own' }],
])('%s', (message, options) => {
  expect(() => checkOptions({ ...OPTIONS, ...options })).toThrow(message);
});

test('what AWS takes is taken', () => {
  const tags = { ['k'.repeat(127)]: 'v'.repeat(255) };
  expect(() => checkOptions({ ...OPTIONS, tags, timeoutMinutes: 4320, kmsKeyArn: KEY })).not.toThrow();
});

test.each([
  ['eu-central-1', 'https://ebs.eu-central-1.amazonaws.com'],
  ['us-gov-west-1', 'https://ebs.us-gov-west-1.amazonaws.com'],
  ['cn-north-1', 'https://ebs.cn-north-1.amazonaws.com.cn'],
  ['eusc-de-east-1', 'https://ebs.eusc-de-east-1.amazonaws.eu'],
])('the host of %s is %s', (region, endpoint) => {
  expect(endpointOf(region)).toBe(endpoint);
});

test.each([
  '',
  'eu-central',
  'EU-CENTRAL-1',
  'eu-central-1.evil.example/',
  'eu-central-1 ',
])('%j is not a region, and no request goes there', (region) => {
  expect(() => endpointOf(region)).toThrow('is not a valid region');
});
