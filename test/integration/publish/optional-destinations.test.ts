import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData, runCli, testImage } from '../../support/cli.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { committedBlobs, expectClear, movedTags, type PublishJob, publish, tryPublish } from './kit.ts';

let temp: TempDir;
let main: RegistryEmulator;
let mirror: RegistryEmulator;
let job: PublishJob;

beforeAll(async () => {
  temp = await uniqueTempDir('optional');
});

afterAll(async () => {
  await temp?.remove();
});

beforeEach(async () => {
  [main, mirror] = await Promise.all([startEmulator(), startEmulator()]);
  job = {
    image: 'bulky',
    // What may fail comes first: the order says nothing.
    to: [`${mirror.host}/lab/app:v1 may-fail`, `${main.host}/lab/app:v1`],
    state: join(temp.path, crypto.randomUUID()),
  };
  return () => Promise.all([main.stop(), mirror.stop()]);
});

/** Every request fails, and none is tried again. */
const breakDown = (registry: RegistryEmulator, methods = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT']): void => {
  const fault = { kind: 'status', status: 507, body: 'no space' } as const;
  for (const method of methods) registry.inject({ ...fault, method, path: /./, times: 100_000 });
};

const uploads = ({ requests }: RegistryEmulator): number =>
  requests.filter(({ method, path }) => method !== 'GET' && path.includes('/blobs/uploads')).length;

/** What of `registry` is new in a run. */
const newIn = async (registry: RegistryEmulator, run: () => Promise<unknown>): Promise<number> => {
  const before = uploads(registry);
  await run();
  return uploads(registry) - before;
};

test('one that is down is told, and gets later what it lacks, and nothing else is sent', async () => {
  breakDown(mirror);
  const first = await publish(job);
  expect(movedTags(main)).toEqual(['lab/app:v1']);
  expect(movedTags(mirror)).toEqual([]);
  expect(first.destinations).toMatchObject([
    { name: `docker://${main.host}/lab/app`, tags: ['v1'] },
    { name: `docker://${mirror.host}/lab/app`, tags: [], failure: expect.stringMatching(/507/) },
  ]);

  mirror.mend();
  expect(await newIn(main, () => publish(job))).toBe(0);
  expect(movedTags(mirror)).toEqual(['lab/app:v1']);
  expect(new Set(committedBlobs(mirror))).toEqual(new Set(committedBlobs(main)));
  await expectValid(`${mirror.host}/lab/app:v1`);

  expect(await newIn(mirror, () => publish(job))).toBe(0);
  expect(movedTags(mirror)).toEqual(['lab/app:v1']);
});

test('one that breaks in the middle has kept what it took: only the rest is sent', async () => {
  breakDown(mirror, ['PATCH']);
  await publish(job);
  expect(movedTags(mirror)).toEqual([]);
  const kept = committedBlobs(mirror);
  expect(kept.length).toBeGreaterThan(0);
  mirror.mend();
  await publish(job);
  const all = committedBlobs(mirror);
  expect(all).toHaveLength(new Set(all).size);
  expect(all.slice(0, kept.length)).toEqual(kept);
  await expectValid(`${mirror.host}/lab/app:v1`);
});

test('where all is well, it gets the bytes of the one pass', async () => {
  const { destinations } = await publish(job);
  expect(destinations.map(({ tags }) => tags)).toEqual([['v1'], ['v1']]);
  // Nothing was read from the other: it took what passed.
  const read = main.requests.filter(({ method, path }) => method === 'GET' && /\/blobs\/sha256/.test(path));
  expect(read).toEqual([]);
  expect(new Set(committedBlobs(mirror))).toEqual(new Set(committedBlobs(main)));
  await expectValid(`${mirror.host}/lab/app:v1`);
});

test('one that never answers holds up neither the read nor the tags of the others', async () => {
  for (const method of ['GET', 'HEAD', 'POST']) mirror.inject({ kind: 'silent', method, path: /./, times: 1000 });
  const published = publish(job);
  while (main.store.manifest('lab/app', 'v1') === undefined) await sleep(20);
  expect(mirror.requests.every(({ status }) => status === 0)).toBe(true);
  // It answers at last: it gets everything after all.
  mirror.mend();
  mirror.closeConnections();
  await published;
  expect(movedTags(mirror)).toEqual(['lab/app:v1']);
});

test('one that must not fail and does: no tag moves at those that may either', async () => {
  breakDown(main, ['PATCH']);
  expectClear(await tryPublish(job), main.host, /507/);
  expect([...movedTags(main), ...movedTags(mirror)]).toEqual([]);
});

test('a tag that is refused where it may be', async () => {
  mirror.inject({
    kind: 'status',
    status: 400,
    body: '{"errors":[{"code":"TAG_INVALID","message":"immutable"}]}',
    method: 'PUT',
    path: /manifests\/v1/,
    times: 9,
  });
  const { exitCode, stderr } = await tryPublish(job);
  expect([exitCode, movedTags(main)]).toEqual([0, ['lab/app:v1']]);
  expect(stderr).toMatch(/warning: .*is not published, which is allowed: .*immutable/s);
});

describe('where all may fail', () => {
  test('one of them has to hold it', async () => {
    breakDown(mirror);
    const to = [...job.to.slice(0, 1), `${main.host}/lab/app:v1 may-fail`];
    const { destinations } = await publish({ ...job, to });
    expect(destinations).toMatchObject([{ tags: ['v1'] }, { tags: [], failure: expect.stringMatching(/507/) }]);
    breakDown(main);
    expectClear(await tryPublish({ ...job, to, more: ['--verify'] }), /507/);
  });
});

test('every destination has tags of its own', async () => {
  const to = [
    `${main.host}/lab/app tag=a tag=b`,
    `${mirror.host}/lab/app may-fail tag=type=raw,value=m-{{name}},enable=false tag=type=raw,value=c`,
    `${mirror.host}/other/app`,
    `${mirror.host}/never/app tag=type=raw,value=x,enable=false`,
  ];
  const { destinations } = await publish({ ...job, to, more: ['--tag', 'shared'] });
  expect(movedTags(main)).toEqual(['lab/app:a', 'lab/app:b']);
  expect(movedTags(mirror)).toEqual(['other/app:shared', 'lab/app:c']);
  expect(destinations).toHaveLength(3);
  const { stderr, exitCode } = await tryPublish({ ...job, to: to.slice(3) });
  expect([exitCode, stderr]).toEqual([0, '']);
});

test.each(['oci-archive:', 'docker-archive:'])('beside an %s, which cannot be read later', async (kind) => {
  const folder = join(temp.path, crypto.randomUUID());
  await mkdir(folder);
  // Its upload breaks in the one pass, so the layer is copied to it.
  mirror.inject({ kind: 'cut-upload', after: 3_000_000, keep: false, method: 'PATCH', path: /./, times: 1 });
  const to = [`${kind}${join(folder, 'app.tar')}`, ...job.to.slice(0, 1)];
  const { destinations } = await publish({ ...job, to });
  expect(destinations.map(({ tags }) => tags.length)).toEqual([1, 1]);
  expect(movedTags(mirror)).toEqual(['lab/app:v1']);
  await expectValid(`${mirror.host}/lab/app:v1`);
});

test('a build sends its layers to the first that must not fail', async () => {
  breakDown(mirror);
  const words = [...(await testImage('bulky')), ...ONLY_X86, '--out', join(temp.path, 'handover')];
  const to = job.to.flatMap((line) => ['--to', line]);
  const { exitCode, stderr } = await runCli(['build', ...words, ...to], { env: { XDG_STATE_HOME: job.state } });
  expect(exitCode, stderr).toBe(0);
  expect(committedBlobs(main).length).toBeGreaterThan(0);
  expect(mirror.requests).toEqual([]);
});

test('a copy has both, too', async () => {
  await publish({ ...job, to: [`${main.host}/lab/app:v1`] });
  const other = await startEmulator();
  try {
    breakDown(mirror);
    const to = [`${other.host}/lab/app tag=x tag=y`, `${mirror.host}/lab/app may-fail`];
    const words = ['copy', `${main.host}/lab/app:v1`, ...to.flatMap((line) => ['--to', line])];
    const failed = await cliData<{ readonly destinations: unknown }>(words);
    expect(failed.destinations).toMatchObject([{ tags: ['x', 'y'] }, { tags: [], failure: expect.any(String) }]);
    const nowhere = await runCli([...words.slice(0, 2), '--to', to[1] ?? '']);
    expectClear(nowhere, /at none of its destinations:\n +docker:.*507/);
    mirror.mend();
    await cliData(words);
    expect(movedTags(other)).toEqual(['lab/app:x', 'lab/app:y']);
    expect(movedTags(mirror)).toEqual(['lab/app:v1']);
    await expectValid(`${mirror.host}/lab/app:v1`);
  } finally {
    await other.stop();
  }
});
