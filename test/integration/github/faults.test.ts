import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import type { Fault } from '../../emulators/results/faults.ts';
import { MIB, sha256 } from '../../support/bytes.ts';
import { becomeJob, hurry, newFolder, randomFile, type TestJob, trace } from './kit.ts';

const NAME = 'handover-app-x86_64-linux-1.tar';

/** More than anybody tries. */
const ALWAYS = 99;

let folder: string;
let file: { path: string; digest: string };

beforeAll(async () => {
  folder = await newFolder();
  file = await randomFile(folder, 9 * MIB);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Scene extends TestJob {
  readonly results: ResultsEmulator;
  readonly waits: readonly number[];
  upload(): Promise<{ readonly digest: string }>;
  download(): Promise<string>;
}

const scene = async (): Promise<Scene> => {
  const results = await startResults();
  onTestFinished(() => results.stop());
  const waits = hurry();
  const job = becomeJob(results, { run: 7, job: 'build' });
  const { artifacts } = job;
  return {
    ...job,
    results,
    waits,
    upload: () => artifacts.upload(NAME, file.path, { retentionDays: 1 }),
    download: async () => {
      const [artifact] = await artifacts.list();
      if (!artifact) throw new Error('there is no artifact');
      return artifacts.download(artifact, join(folder, 'down'));
    },
  };
};

const status = (route: Fault['route'], code: number, times: number = ALWAYS): Fault => ({
  kind: 'status',
  route,
  status: code,
  times,
  body: { code: 'unavailable', msg: 'try later' },
  headers: { 'retry-after': '1' },
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe('uploads that come to their end', () => {
  test.each<[string, Fault]>([
    ['429 for a name', status('CreateArtifact', 429, 1)],
    ['503 for a name', status('CreateArtifact', 503, 2)],
    ['a page of a proxy for a name', { kind: 'status', route: 'CreateArtifact', status: 502, body: '<html>' }],
    ['500 at the end', status('FinalizeArtifact', 500, 1)],
    ['503 for a block', status('PutBlock', 503, 3)],
    ['500 for the list of blocks', status('PutBlockList', 500, 1)],
    ['a block that is cut off', { kind: 'cut-upload', route: 'PutBlock', after: 100_000 }],
    ['a block whose answer is lost', { kind: 'lose-answer', route: 'PutBlock' }],
    ['an end whose answer is lost', { kind: 'lose-answer', route: 'FinalizeArtifact' }],
    ['a connection that is cut before there is a name', { kind: 'cut-upload', route: 'CreateArtifact', after: 1 }],
    ['a slow service', { kind: 'slow', route: 'CreateArtifact', milliseconds: 300 }],
  ])('%s', async (_what, fault) => {
    const { results, upload } = await scene();
    results.faults.add(fault);
    expect((await upload()).digest).toBe(file.digest);
    expect(results.artifacts()).toMatchObject([{ name: NAME, final: { digest: file.digest } }]);
  });
});

describe('uploads that fail', () => {
  test.each<[string, Fault, RegExp, RegExp]>([
    ['429 for ever', status('CreateArtifact', 429), /did not answer properly: .*\(429\).*: try later$/, /re-run/],
    ['no permission', status('CreateArtifact', 403), /does not permit it: .*\(403\)/, /Artifacts need no entry/],
    [
      'a full storage',
      { ...status('CreateArtifact', 403), body: { msg: 'insufficient usage to create artifact' } } as Fault,
      /storage for artifacts is full/,
      /`to`/,
    ],
    ['an expired URL', { kind: 'expired', route: 'CreateArtifact' }, /URL, which has expired/, /too long/],
    ['a URL that expires', { kind: 'expired', route: 'PutBlockList' }, /URL, which has expired/, /too long/],
    ['429 for a block', status('PutBlock', 429, 1), /the storage answered 429/, /re-run/],
    ['500 for ever', status('PutBlock', 500), /the storage answered 500/, /re-run/],
    [
      'cut off for ever',
      { kind: 'cut-upload', route: 'PutBlock', after: 100_000, times: ALWAYS },
      /connection failed \(ECONNRESET\)/,
      /re-run/,
    ],
    ['a name whose answer is lost', { kind: 'lose-answer', route: 'CreateArtifact' }, /name already/, /re-run the job/],
    ['no end', status('FinalizeArtifact', 503), /did not answer properly: .*\(503\)/, /re-run/],
  ])('%s', async (_what, fault, message, hint) => {
    const { results, upload } = await scene();
    results.faults.add(fault);
    await expect(upload()).rejects.toMatchObject({
      name: 'UserError',
      code: 'handover',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    // Whoever lists sees no half of it.
    expect(results.artifacts().filter(({ final }) => final)).toEqual([]);
  });
});

describe('uploads that go on under another name', () => {
  const SPARE = ['handover-app-x86_64-linux-1.2.tar', 'handover-app-x86_64-linux-1.3.tar'];

  test.each<[string, Fault]>([
    ['429 for a block', status('PutBlock', 429, 1)],
    ['502 for the list of blocks', status('PutBlockList', 502, 1)],
    ['500 for longer than the client tries', status('PutBlockList', 500, 4)],
    ['an expired URL', { kind: 'expired', route: 'CreateArtifact' }],
    ['a name whose answer is lost', { kind: 'lose-answer', route: 'CreateArtifact' }],
  ])('%s', async (_what, fault) => {
    const { results, artifacts, log } = await scene();
    results.faults.add(fault);
    const uploaded = await artifacts.upload(NAME, file.path, { retentionDays: 1, spareNames: SPARE });
    expect(uploaded).toMatchObject({ name: SPARE[0], digest: file.digest });
    expect((await artifacts.list()).map(({ name }) => name)).toEqual([SPARE[0]]);
    expect(log.lines.at(-1)).toMatch(
      /^cannot upload the artifact .*; uploading it again, as handover-app-.*-1\.2\.tar$/,
    );
  });

  test('but not because another job has the name, and not for ever', async () => {
    const { results, artifacts } = await scene();
    const options = { retentionDays: 1, spareNames: SPARE };
    await artifacts.upload(NAME, file.path, options);
    await expect(artifacts.upload(NAME, file.path, options)).rejects.toThrow('has an artifact of this name already');
    results.faults.add({ kind: 'expired', route: 'CreateArtifact', times: ALWAYS });
    await expect(artifacts.upload('other.tar', file.path, options)).rejects.toThrow(`${SPARE[1]}: the storage refused`);
    expect(results.artifacts().filter(({ final }) => final)).toHaveLength(1);
  });
});

describe('lists', () => {
  test('a lost connection is tried again, twice', async () => {
    const { results, artifacts, log } = await scene();
    results.faults.add({ kind: 'lose-answer', route: 'ListArtifacts', times: 2 });
    expect(await artifacts.list()).toEqual([]);
    expect(log.lines).toEqual([
      "cannot list the run's artifacts: the connection failed; trying again in 1 s",
      "cannot list the run's artifacts: the connection failed; trying again in 5 s",
    ]);
    results.faults.add({ kind: 'lose-answer', route: 'ListArtifacts', times: 3 });
    await expect(artifacts.list()).rejects.toMatchObject({
      code: 'handover',
      message: expect.stringMatching(/ECONNRESET/),
    });
  });

  test('the client waits up to 36 seconds for a service that is down, whatever Retry-After says', async () => {
    const { results, artifacts, waits } = await scene();
    results.faults.add(status('ListArtifacts', 503));
    await expect(artifacts.list()).rejects.toMatchObject({
      code: 'handover',
      message: expect.stringMatching(/\(503\)/),
    });
    expect(trace(results)).toEqual(Array(5).fill('ListArtifacts 503'));
    expect(sum(waits)).toBeGreaterThan(24_000);
    expect(sum(waits)).toBeLessThan(36_000);
  });

  test('no service at all', async () => {
    const { results, artifacts } = await scene();
    await results.stop();
    await expect(artifacts.list()).rejects.toMatchObject({
      message: expect.stringMatching(/\(ECONNREFUSED\)/),
      hint: expect.stringMatching(/self-hosted/),
    });
  });
});

describe('downloads that come to their end', () => {
  test.each<[string, Fault, number]>([
    ['503', status('GetBlob', 503, 4), 1],
    ['a transfer that is cut off', { kind: 'cut-download', route: 'GetBlob', after: 100_000 }, 1],
    ['a URL that has expired', { kind: 'expired', route: 'GetSignedArtifactURL' }, 2],
    ['damaged bytes', { kind: 'corrupt', route: 'GetBlob' }, 2],
    ['a lost connection for the URL', { kind: 'lose-answer', route: 'GetSignedArtifactURL' }, 2],
  ])('%s', async (_what, fault, urls) => {
    const { results, upload, download } = await scene();
    await upload();
    results.faults.add(fault);
    const path = await download();
    expect(sha256(await readFile(path))).toBe(file.digest);
    expect(trace(results).filter((line) => line.startsWith('GetSignedArtifactURL'))).toHaveLength(urls);
    expect(await readdir(join(folder, 'down'))).toEqual([NAME]);
  });
});

describe('downloads that fail', () => {
  test.each<[string, Fault, RegExp, RegExp]>([
    ['403 for ever', status('GetBlob', 403), /storage did not send it, in two rounds of five/, /ACTIONS_STEP_DEBUG/],
    [
      'damaged for ever',
      { kind: 'corrupt', route: 'GetBlob', times: ALWAYS },
      /is damaged: it has sha256:\w{64}, but was uploaded as sha256:\w{64}$/,
      /Re-run the job/,
    ],
    ['gone meanwhile', status('GetSignedArtifactURL', 404), /it is gone/, /Run all jobs again/],
    [
      'listed, and kept from a later attempt',
      { ...status('GetSignedArtifactURL', 404), body: { code: 'not_found', msg: 'workflow run not found' } } as Fault,
      /lists it and does not hand it out/,
      /Run all jobs again/,
    ],
    ['no permission', status('GetSignedArtifactURL', 403), /does not permit it/, /not for this run/],
  ])('%s', async (_what, fault, message, hint) => {
    const { results, upload, download } = await scene();
    await rm(join(folder, 'down'), { recursive: true, force: true });
    await upload();
    results.faults.add(fault);
    await expect(download()).rejects.toMatchObject({
      name: 'UserError',
      code: 'handover',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
    expect(await readdir(join(folder, 'down'))).toEqual([]);
  });

  test('an artifact that is shorter than the list says', async () => {
    const { upload, artifacts } = await scene();
    await upload();
    const [artifact] = await artifacts.list();
    if (!artifact) throw new Error('there is no artifact');
    const longer = { ...artifact, size: artifact.size + 1 };
    await expect(artifacts.download(longer, folder)).rejects.toThrow(/is damaged: \d+ bytes came instead of \d+$/);
  });
});

describe('tokens', () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  test.each<[string, (results: ResultsEmulator) => string, RegExp]>([
    ['one that has expired', (results) => results.tokenFor({ run: 7, job: 'build' }, -1), /\(401\).*token is expired/],
    ['one of another service', () => `${part({})}.${part({ scp: 'Actions.Results:a:b' })}.x`, /\(401\).*signature/],
    [
      'one without results',
      () => `${part({})}.${part({ scp: 'Other:1' })}.x`,
      /did not accept the token: Failed to get/,
    ],
    ['no JWT', () => 'secret', /did not accept the token: Invalid token/],
  ])('%s', async (_what, token, message) => {
    const results = await startResults();
    onTestFinished(() => results.stop());
    const job = { run: 7, job: 'build' };
    const { artifacts } = becomeJob(results, job, { ACTIONS_RUNTIME_TOKEN: token(results) });
    const expected = {
      code: 'handover',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/runtime token is not valid/),
    };
    await expect(artifacts.list()).rejects.toMatchObject(expected);
    await expect(artifacts.upload(NAME, file.path, { retentionDays: 1 })).rejects.toMatchObject(expected);
  });
});

describe('cancellation', () => {
  test.each<[string, Fault, (scene: Scene) => Promise<unknown>]>([
    ['an upload', { kind: 'slow', route: 'PutBlock', milliseconds: 400 }, ({ upload }) => upload()],
    ['a list', { kind: 'slow', route: 'ListArtifacts', milliseconds: 400 }, ({ artifacts }) => artifacts.list()],
    ['the waits of the client', status('ListArtifacts', 503), ({ artifacts }) => artifacts.list()],
  ])('ends %s at once', async (_what, fault, work) => {
    const all = await scene();
    all.results.faults.add(fault);
    const running = expect(work(all)).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringMatching(/^cancelled: did not /),
    });
    await sleep(100);
    const before = performance.now();
    all.cancel();
    await running;
    expect(performance.now() - before).toBeLessThan(200);
  });

  test('nothing begins afterwards', async () => {
    const { results, upload, cancel } = await scene();
    cancel();
    await expect(upload()).rejects.toMatchObject({ code: 'cancelled' });
    expect(results.requests).toEqual([]);
  });
});

test('a file that grows while it is uploaded is noticed', async () => {
  const { results, artifacts } = await scene();
  const path = join(folder, 'growing.bin');
  await writeFile(path, Buffer.alloc(1000, 1));
  results.faults.add({ kind: 'slow', route: 'CreateArtifact', milliseconds: 300 });
  const running = artifacts.upload(NAME, path, { retentionDays: 1 });
  await sleep(100);
  await writeFile(path, Buffer.alloc(2000, 2));
  await expect(running).rejects.toMatchObject({
    code: 'handover',
    message: expect.stringMatching(/changed while it was uploaded/),
  });
});

test('an answer to a delete that is lost is asked for again, and what is gone counts as deleted', async () => {
  const { results, artifacts, upload } = await scene();
  await upload();
  results.faults.add({ kind: 'lose-answer', route: 'DeleteArtifact' });
  await artifacts.delete([{ name: NAME }]);
  expect(results.artifacts()).toEqual([]);
});
