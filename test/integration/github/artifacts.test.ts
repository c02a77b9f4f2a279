import { readFile, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { formatHandoverName, newestHandovers } from '../../../src/github/handover-name.ts';
import type { System } from '../../../src/oci/system.ts';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { MIB, sha256 } from '../../support/bytes.ts';
import { runProgram } from '../../support/tools.ts';
import { becomeJob, newFolder, randomFile, trace } from './kit.ts';

const NAME = 'handover-org~app-x86_64-linux-1.tar';

let folder: string;

beforeAll(async () => {
  folder = await newFolder();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const started = async (): Promise<ResultsEmulator> => {
  const results = await startResults();
  onTestFinished(() => results.stop());
  return results;
};

const nameOf = (system: System, attempt: number): string => formatHandoverName({ image: 'org/app', system, attempt });

test.each([1, 40])('%i MiB go up and come down as they are', async (size) => {
  const results = await started();
  const file = await randomFile(folder, size * MIB);
  const build = becomeJob(results, { run: 7, job: 'build' });
  const uploaded = await build.artifacts.upload(NAME, file.path, { retentionDays: 1 });
  expect(uploaded).toMatchObject({ name: NAME, size: size * MIB, digest: file.digest });

  const [stored] = results.artifacts();
  expect(stored).toMatchObject({ name: NAME, contentType: 'application/x-tar', id: uploaded.id });
  const days = ((stored?.expiresAt.getTime() ?? 0) - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(0.9);
  expect(days).toBeLessThan(1.1);

  const publish = becomeJob(results, { run: 7, job: 'publish' });
  const list = await publish.artifacts.list();
  expect(list).toEqual([
    { id: uploaded.id, name: NAME, size: size * MIB, digest: file.digest, createdAt: expect.any(Date) },
  ]);
  const target = join(folder, `down-${size}`);
  for (const artifact of list) {
    const path = await publish.artifacts.download(artifact, target);
    expect(path).toBe(join(target, NAME));
    expect(sha256(await readFile(path))).toBe(file.digest);
  }
  expect(publish.log.masked.length).toBe(1);
  // The token is in nothing that was written.
  expect([...build.written, ...publish.written].join('')).not.toContain(build.log.masked[0]);
});

test('two jobs at once, and a third that takes both', async () => {
  const results = await started();
  const job = (name: string, ...args: string[]) =>
    runProgram(process.execPath, [join(import.meta.dirname, 'job.ts'), ...args], {
      env: results.environment({ run: 7, job: name }),
    });
  const files = await Promise.all([randomFile(folder, 20 * MIB), randomFile(folder, 20 * MIB)]);
  const names = [nameOf('x86_64-linux', 1), nameOf('aarch64-linux', 1)];
  const built = await Promise.all(names.map((name, at) => job(`build-${at}`, 'upload', name, files[at]?.path ?? '')));
  expect(built.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
    Array(2).fill({ exitCode: 0, stderr: '' }),
  );

  const target = join(folder, 'both');
  const { stdout } = await job('publish', 'download', target);
  const paths = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as string[];
  const found = await Promise.all(paths.map(async (path) => [basename(path), sha256(await readFile(path))]));
  expect(found.sort()).toEqual(names.map((name, at) => [name, files[at]?.digest]).sort());
});

test('a re-run has names of its own, and the fan-in takes the newest', async () => {
  const results = await started();
  const upload = async (system: System, attempt: number): Promise<string> => {
    const file = await randomFile(folder, 1000);
    const job = becomeJob(results, { run: 7, job: `build ${system}`, attempt });
    return (await job.artifacts.upload(nameOf(system, attempt), file.path, { retentionDays: 1 })).digest;
  };
  await upload('x86_64-linux', 1);
  const arm = await upload('aarch64-linux', 1);
  const x86 = await upload('x86_64-linux', 2);

  const { artifacts } = becomeJob(results, { run: 7, job: 'publish', attempt: 2 });
  const newest = newestHandovers(await artifacts.list(), 2);
  expect(newest.map(({ system, attempt, artifact }) => [system, attempt, artifact.digest])).toEqual([
    ['aarch64-linux', 1, arm],
    ['x86_64-linux', 2, x86],
  ]);
});

test('another run sees nothing of it', async () => {
  const results = await started();
  const { path } = await randomFile(folder, 1000);
  await becomeJob(results, { run: 7, job: 'build' }).artifacts.upload(NAME, path, { retentionDays: 1 });
  expect(await becomeJob(results, { run: 8, job: 'publish' }).artifacts.list()).toEqual([]);
});

test('a name that is taken is refused', async () => {
  const results = await started();
  const { path } = await randomFile(folder, 1000);
  const { artifacts } = becomeJob(results, { run: 7, job: 'build' });
  await artifacts.upload(NAME, path, { retentionDays: 1 });
  await expect(artifacts.upload(NAME, path, { retentionDays: 1 })).rejects.toMatchObject({
    code: 'handover',
    message: `cannot upload the artifact ${NAME}: the run has an artifact of this name already`,
    hint: expect.stringContaining('double in the matrix'),
  });
});

test("a stranger's zip is downloaded as it is and not unpacked", async () => {
  const results = await started();
  const file = await randomFile(folder, 1000);
  const { artifacts, client } = becomeJob(results, { run: 7, job: 'build' });
  await client.uploadArtifact('logs', [file.path], folder, { compressionLevel: 0 });
  const [zip] = await artifacts.list();
  if (!zip) throw new Error('nothing was uploaded');
  const path = await artifacts.download(zip, join(folder, 'zip'));
  const bytes = await readFile(path);
  expect(bytes.subarray(0, 4).toString('latin1')).toBe('PK\x03\x04');
  expect(sha256(bytes)).toBe(zip.digest);
});

test('a download answers for its name and its digest', async () => {
  const results = await started();
  const { artifacts } = becomeJob(results, { run: 7, job: 'build' });
  const digest = sha256(Buffer.of()) as never;
  await expect(artifacts.download({ id: 1, name: '../up', size: 1, digest }, folder)).rejects.toThrow(
    '"../up" is not a valid artifact name',
  );
  await expect(artifacts.download({ id: 1, name: NAME, size: 1 }, folder)).rejects.toThrow('has no sha256 digest');
  await expect(artifacts.download({ id: 1, name: NAME, size: 1, digest }, folder)).rejects.toMatchObject({
    message: `cannot download the artifact ${NAME}: it is gone`,
    hint: expect.stringContaining('Run all jobs again'),
  });
  expect(trace(results)).toEqual(['ListArtifacts 200']);
});

test('an upload answers for its name and its file, before anything is sent', async () => {
  const results = await started();
  const { artifacts } = becomeJob(results, { run: 7, job: 'build' });
  const empty = await randomFile(folder, 0);
  const link = join(folder, 'dangling');
  await symlink('nowhere', link);
  const upload = (name: string, file: string) => artifacts.upload(name, file, { retentionDays: 1 });
  await expect(upload('a/b', empty.path)).rejects.toMatchObject({ code: 'handover' });
  await expect(upload(NAME, link)).rejects.toMatchObject({ code: 'file', message: expect.stringContaining('be read') });
  await expect(upload(NAME, folder)).rejects.toMatchObject({ code: 'file' });
  await expect(upload(NAME, empty.path)).rejects.toMatchObject({ code: 'file' });
  expect(results.requests).toEqual([]);
});
