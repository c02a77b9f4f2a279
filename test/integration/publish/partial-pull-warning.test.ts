import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chunkedAnnotations } from '../../../src/oci/chunked.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { type CliOptions, runCli, testImage } from '../../support/cli.ts';
import { type RunningProxy, startProxy } from '../../support/proxy.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { indexOf, manifestOf, putImage, testDeps } from '../storage/kit.ts';

// Stands for any registry, by names that nothing resolves here: GHCR, and one that answers several ranges.
let emulator: RegistryEmulator;
let proxy: RunningProxy;
let temp: TempDir;
let env: NonNullable<CliOptions['env']>;

const PLAIN = ['--plain-http', 'ghcr.io', '--plain-http', 'quay.io'];

beforeAll(async () => {
  [emulator, temp] = await Promise.all([startEmulator(), uniqueTempDir('warning')]);
  const port = Number(emulator.host.split(':')[1]);
  proxy = await startProxy({ portOf: (asked) => (asked === 80 ? port : asked) });
  env = { HTTP_PROXY: `http://${proxy.host}`, NO_PROXY: '127.0.0.1' };
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await emulator?.stop();
  await temp?.remove();
});

/** Runs a command that succeeds; gives its warnings of pulls in part. */
async function warnings(...args: string[]): Promise<string[]> {
  const { exitCode, stderr } = await runCli([...args, ...PLAIN], { env });
  expect(exitCode, stderr).toBe(0);
  return stderr.split('\n').filter((line) => line.includes('docs/compression.md#pulling-in-part'));
}

const OF_GHCR = [
  expect.stringMatching(/podman and CRI-O cannot pull zstd:chunked from ghcr\.io where enable_partial_images is set/),
];

const PART = { offset: 8, length: 1, unpacked: 1 };

/** Puts an index of two platforms whose layers are said to be zstd:chunked. */
async function putChunked(repository: string, tag: string): Promise<void> {
  const to = openRegistry({ host: emulator.host, repository }, 'write', testDeps());
  const annotations = chunkedAnnotations(digestOf(Buffer.from('table')), PART, PART);
  const children = [];
  for (const architecture of ['amd64', 'arm64']) {
    const { manifest } = await putImage(to, architecture);
    const { config, layers } = JSON.parse(manifest.bytes.toString());
    const chunked = manifestOf({ config, layers: [{ ...layers[0], annotations }] }, MEDIA_TYPE.manifest);
    await to.putManifest(chunked);
    children.push({ manifest: chunked, architecture });
  }
  await to.tag(tag, indexOf(children));
}

test('copy says once of a registry that what is sent there cannot be pulled in part', async () => {
  await putChunked('lab/source', 'v1');
  const source = `${emulator.host}/lab/source:v1`;
  expect(await warnings('copy', source, '--to', 'quay.io/lab/copied:v1')).toEqual([]);
  const to = ['--to', 'ghcr.io/lab/copied:v1', '--to', 'ghcr.io/lab/other:v1 may-fail'];
  expect(await warnings('copy', source, ...to)).toEqual(OF_GHCR);
  // Nothing is sent.
  expect(await warnings('copy', source, ...to)).toEqual([]);
});

test('promote says it where it copies', async () => {
  await putChunked('lab/promoted', 'edge');
  const source = `${emulator.host}/lab/promoted:edge`;
  expect(
    await warnings('promote', source, '--channel', 'stable', '--new-channel', '--to', 'ghcr.io/lab/promoted'),
  ).toEqual(OF_GHCR);
});

test('plan, build and publish say it, of handovers too, and plan no more when nothing is built', async () => {
  const image = await testImage('smallChunked');
  const plan = ['plan', ...image, '--systems', 'x86_64-linux'];
  expect(await warnings(...plan, '--to', 'quay.io/lab/{name}')).toEqual([]);
  const to = ['--to', 'ghcr.io/lab/{name}', '--to', 'ghcr.io/other/{name}'];
  expect(await warnings(...plan, ...to)).toEqual(OF_GHCR);

  const handover = join(temp.path, 'handover');
  const build = ['build', ...image, '--system', 'x86_64-linux'];
  expect(await warnings(...build, '--out', handover)).toEqual([]);
  expect(await warnings('publish', '--from', handover, ...ONLY_X86, '--to', 'ghcr.io/lab/handed:v1')).toEqual(OF_GHCR);
  const kept = join(temp.path, 'kept');
  expect(await warnings(...build, '--to', 'ghcr.io/lab/built', '--out', kept)).toEqual(OF_GHCR);
  expect(await warnings('publish', ...image, ...ONLY_X86, ...to)).toEqual(OF_GHCR);
  expect(await warnings(...plan, ...to)).toEqual([]);
});

test('an image that is plain zstd is sent without a word', async () => {
  const image = await testImage('smallZstd');
  const to = ['--to', 'ghcr.io/lab/plain'];
  expect(await warnings('plan', ...image, '--systems', 'x86_64-linux', ...to)).toEqual([]);
  expect(await warnings('publish', ...image, ...ONLY_X86, ...to)).toEqual([]);
});
