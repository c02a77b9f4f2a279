import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import type { FaultKind } from '../../emulators/registry/faults.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { committedBlobs, expectClear, movedTags, type PublishJob, publish, tryPublish } from './kit.ts';

let temp: TempDir;
let healthy: RegistryEmulator;
let ill: RegistryEmulator;
let job: PublishJob;

beforeAll(async () => {
  temp = await uniqueTempDir('destinations');
});

afterAll(async () => {
  await temp?.remove();
});

beforeEach(async () => {
  [healthy, ill] = await Promise.all([startEmulator(), startEmulator()]);
  job = {
    image: 'bulky',
    to: [`${healthy.host}/lab/app:v1`, `${ill.host}/lab/app:v1`],
    state: join(temp.path, crypto.randomUUID()),
  };
  return () => Promise.all([healthy.stop(), ill.stop()]);
});

const sentTwice = (registry: RegistryEmulator): string[] =>
  committedBlobs(registry).filter((digest, at, all) => all.indexOf(digest) !== at);

const expectBothRight = async (): Promise<void> => {
  for (const registry of [healthy, ill]) {
    expect(movedTags(registry)).toEqual(['lab/app:v1']);
    expect(committedBlobs(registry).length).toBeGreaterThan(0);
    expect(sentTwice(registry)).toEqual([]);
    await expectValid(`${registry.host}/lab/app:v1`);
  }
};

interface Trouble {
  readonly name: string;
  readonly fault: FaultKind;
  readonly methods: readonly string[];
  /** Requests that go well before it begins. */
  readonly skip: number;
  readonly says: readonly RegExp[];
}

const full = (status: number): FaultKind => ({
  kind: 'status',
  status,
  body: JSON.stringify({ errors: [{ code: 'UNKNOWN', message: 'no space left on device' }] }),
  // So that the tries that such an answer is worth follow at once.
  headers: { 'retry-after': '0' },
});

describe('one of two destinations fails in the middle: no tag moves, and the next run goes on', () => {
  const troubles: Trouble[] = [
    {
      name: 'full: 507 for a stream',
      fault: full(507),
      methods: ['PATCH'],
      skip: 0,
      says: [/507/, /no space left/, /quota/],
    },
    { name: 'full: 507 at the end of a blob', fault: full(507), methods: ['PUT'], skip: 1, says: [/507/, /no space/] },
    {
      name: 'full: 500 for everything',
      fault: full(500),
      methods: ['PATCH', 'PUT'],
      skip: 1,
      says: [/500/, /no space/],
    },
    {
      name: 'a limit on requests: 413 before the body came',
      fault: { kind: 'status', status: 413, body: '<html>413 Request Entity Too Large</html>' },
      methods: ['PATCH'],
      skip: 0,
      says: [/413/, /client_max_body_size/],
    },
    {
      name: 'uploads that are lost',
      fault: { kind: 'status', status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"gone"}]}' },
      methods: ['PATCH'],
      skip: 0,
      says: [/cannot continue|404/],
    },
  ];
  test.each(troubles)('$name', async ({ fault, methods, skip, says }) => {
    for (const method of methods) ill.inject({ ...fault, method, path: /\/blobs\/uploads\//, skip, times: 1000 });
    const failed = await tryPublish(job);
    expectClear(failed, ill.host, ...says);
    expect(failed.stdout).toBe('');
    expect([...movedTags(healthy), ...movedTags(ill)]).toEqual([]);
    expect([healthy, ill].map(({ store }) => store.manifest('lab/app', 'v1'))).toEqual([undefined, undefined]);
    // What was begun and not ended is taken back.
    expect(healthy.store.uploads.size).toBe(0);

    ill.mend();
    await publish(job);
    await expectBothRight();
  });

  test('a manifest that one refuses: the other moves no tag either', async () => {
    ill.inject({ ...full(507), method: 'PUT', path: /\/manifests\//, times: 1000 });
    expectClear(await tryPublish(job), ill.host, /507/);
    expect(movedTags(healthy)).toEqual([]);
    ill.mend();
    const before = committedBlobs(ill).length;
    await publish(job);
    expect(committedBlobs(ill)).toHaveLength(before);
    await expectBothRight();
  });
});

test('a registry with every limit that has been seen, whose lines break', async () => {
  const strict = await startEmulator({
    largestChunk: 4 * 1024 * 1024,
    takesOnePatch: true,
    hidesUploads: true,
    hasStuckRange: true,
    locationQuery: 'sig=a%20b~c',
    immutableTags: { status: 400, code: 'TAG_INVALID', message: 'immutable' },
  });
  try {
    strict.inject({ kind: 'cut-upload', after: 3_000_000, keep: true, method: 'PATCH', path: /./, times: 2 });
    const to = [...job.to, `${strict.host}/lab/app:v1`];
    await publish({ ...job, to });
    await publish({ ...job, to });
    await expectBothRight();
    expect([movedTags(strict), sentTwice(strict)]).toEqual([['lab/app:v1'], []]);
    await expectValid(`${strict.host}/lab/app:v1`);
  } finally {
    await strict.stop();
  }
});

describe('a destination that is slow, but alive', () => {
  test('stops for a while in the middle of an upload', async () => {
    for (const method of ['PATCH', 'PUT', 'POST', 'HEAD'])
      ill.inject({ kind: 'slow', milliseconds: 500, method, path: /./, skip: 1, times: 2 });
    await publish(job);
    await expectBothRight();
  });

  test('trickles what it answers', async () => {
    for (const path of [/manifests/, /blobs\/sha256/])
      ill.inject({ kind: 'trickle', milliseconds: 1, method: 'GET', path, times: 4 });
    await publish(job);
    await publish(job);
    ill.mend();
    expect(sentTwice(ill)).toEqual([]);
    await expectValid(`${ill.host}/lab/app:v1`);
  });

  test.each<[string, FaultKind]>([
    ['and what came over them', { kind: 'cut-upload', after: 3_000_000, keep: false }],
    ['and keeps what came', { kind: 'cut-upload', after: 3_000_000, keep: true }],
    ['before it has answered', { kind: 'lose-answer' }],
  ])('loses connections, %s', async (_name, fault) => {
    ill.inject({ ...fault, method: 'PATCH', path: /\/blobs\/uploads\//, times: 2 });
    await publish(job);
    await expectBothRight();
  });
});
