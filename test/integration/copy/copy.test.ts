import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { descriptorOf, type StoredManifest } from '../../../src/oci/read-manifest.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { MIB } from '../../support/bytes.ts';
import { runCli } from '../../support/cli.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { open, readAll, skopeo } from '../storage/bench.ts';
import { blobOf, indexOf, putImage } from '../storage/kit.ts';

/** Above what goes in one request. */
const LARGE = 17 * MIB;

let temp: TempDir;
let from: RegistryEmulator;
let to: RegistryEmulator;

beforeAll(async () => {
  temp = await uniqueTempDir('copy');
});
afterAll(() => temp.remove());
beforeEach(async () => {
  [from, to] = await Promise.all([startEmulator({ referrersPerPage: 1 }), startEmulator()]);
  return () => Promise.all([from.stop(), to.stop()]);
});

const at = (...names: string[]): string => join(temp.path, ...names);

const copy = async (...args: string[]): Promise<{ readonly stdout: string; readonly stderr: string }> => {
  const { exitCode, stdout, stderr } = await runCli(['copy', ...args], { cwd: temp.path });
  expect(exitCode, stderr).toBe(0);
  return { stdout, stderr };
};

const refused = async (...args: string[]): Promise<string> => {
  const { exitCode, stderr } = await runCli(['copy', ...args], { cwd: temp.path });
  expect(exitCode).not.toBe(0);
  return stderr;
};

/** Puts what refers to a manifest: a signature, say, of one small blob. */
const attach = async (repository: Repository, subject: Descriptor, text: string): Promise<StoredManifest> => {
  const [empty, layer] = [Buffer.from('{}'), Buffer.from(text)];
  const config = blobOf(empty, 'application/vnd.oci.empty.v1+json');
  await repository.putBlob(config, empty);
  await repository.putBlob(blobOf(layer, 'text/plain'), layer);
  const content = { config, layers: [blobOf(layer, 'text/plain')], subject, artifactType: 'application/x.test' };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, ...content }));
  const manifest = { bytes, mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes) };
  await repository.putManifest(manifest);
  return manifest;
};

/** An index of two platforms with two signatures, of which one is signed itself. */
const putSigned = async (repository: Repository) => {
  const amd64 = { ...(await putImage(repository, 'amd64', LARGE)), architecture: 'amd64' };
  const arm64 = { ...(await putImage(repository, 'arm64')), architecture: 'arm64' };
  const index = indexOf([amd64, arm64]);
  await repository.tag('v1', index);
  const ofIndex = await attach(repository, descriptorOf(index), 'of the index');
  const ofImage = await attach(repository, descriptorOf(amd64.manifest), 'of an image');
  const ofSignature = await attach(repository, descriptorOf(ofImage), 'of a signature');
  const second = await attach(repository, descriptorOf(index), 'of the index, too');
  await repository.commit();
  return { index, amd64: amd64.manifest, layer: amd64.layer, attached: [ofIndex, ofImage, ofSignature, second] };
};

const methods = (registry: RegistryEmulator, method: string, path: RegExp): string[] =>
  registry.requests.filter((one) => one.method === method && path.test(one.path)).map((one) => one.path);

const tagsPut = (registry: RegistryEmulator): string[] =>
  methods(registry, 'PUT', /manifests\/(?!sha256)/).map((path) => path.replace(/.*manifests\//, ''));

describe('an index with what refers to it', () => {
  it('goes to two registries, a layout and an archive at once: each blob read once, tags last, bytes the same', async () => {
    const signed = await putSigned(open(`${from.host}/org/app`));
    const other = await startEmulator({ referrersPerPage: 10 });
    try {
      const destinations = [`${to.host}/mirror/{name}:v1`, `${other.host}/app`, 'oci:out', 'oci-archive:out.tar:v1'];
      const { stdout } = await copy(`${from.host}/org/app:v1`, ...destinations.flatMap((each) => ['--to', each]));
      expect(stdout).toContain(`${signed.index.digest}, with 4 that refer to it`);
      const reads = methods(from, 'GET', /\/blobs\//);
      expect(reads.length).toBe(new Set(reads).size);
      for (const [registry, name] of [
        [to, 'mirror/org/app'],
        [other, 'app'],
      ] as const) {
        expect(registry.store.manifest(name, 'v1')?.bytes.equals(signed.index.bytes)).toBe(true);
        for (const { digest, bytes } of signed.attached)
          expect(registry.store.manifest(name, digest)?.bytes.equals(bytes)).toBe(true);
        expect(tagsPut(registry)).toEqual(['v1']);
        expect(registry.trace().at(-1)).toBe(`PUT /v2/${name}/manifests/v1`);
        // crane unpacks gzip only.
        await expectValid(`${registry.host}/${name}:v1`, '--fast');
      }
      // One lists referrers by itself; for the other they are listed under a tag.
      expect(methods(other, 'PUT', /manifests\/sha256-/)).toEqual([]);
      expect(methods(to, 'PUT', /manifests\/sha256-/)).toHaveLength(3);
      for (const place of [`oci:${at('out')}`, `oci-archive:${at('out.tar')}`])
        expect(await readAll(place, at('read'))).toBe(signed.index.digest);
    } finally {
      await other.stop();
    }
  });

  it('comes back from a layout, an archive and a registry without a list of referrers', async () => {
    const signed = await putSigned(open(`${from.host}/org/app`));
    let source = `${from.host}/org/app:v1`;
    for (const place of [`oci:${at('back')}:v1`, `oci-archive:${at('back.tar')}:v1`, `${to.host}/a:v1`]) {
      await copy(source, '--to', place);
      source = place;
    }
    const last = await startEmulator({ referrersPerPage: 10 });
    try {
      await copy(source, '--to', `${last.host}/b`);
      expect(last.store.manifest('b', 'v1')?.bytes.equals(signed.index.bytes)).toBe(true);
      for (const { digest } of signed.attached) expect(last.store.manifest('b', digest)).toBeDefined();
    } finally {
      await last.stop();
    }
  });

  it('is mounted within a registry, and a second time sends nothing', async () => {
    const signed = await putSigned(open(`${from.host}/org/app`));
    const before = from.requests.length;
    const json = JSON.parse((await copy(`${from.host}/org/app:v1`, '--to', `${from.host}/b`, '--json')).stdout);
    expect(json.destinations).toMatchObject([{ tags: ['v1'], bytesSent: 0 }]);
    expect(from.requests.slice(before).some(({ method, path }) => method === 'GET' && /blobs/.test(path))).toBe(false);
    expect(from.store.blob('b', signed.layer.digest)).toBeDefined();
    const after = from.requests.length;
    await copy(`${from.host}/org/app:v1`, '--to', `${from.host}/b`, '--no-referrers');
    expect(from.trace().slice(after)).toEqual(['GET /v2/org/app/manifests/v1', 'GET /v2/b/manifests/v1']);
  });

  it('goes alone with --no-referrers, one image of it with --system', async () => {
    const { index, amd64, attached } = await putSigned(open(`${from.host}/org/app`));
    await copy(
      `${from.host}/org/app@${index.digest}`,
      '--to',
      `${to.host}/a`,
      '-t',
      'v1',
      '-t',
      'v1.0',
      '--no-referrers',
    );
    expect(tagsPut(to)).toEqual(['v1', 'v1.0']);
    for (const { digest } of attached) expect(to.store.manifest('a', digest)).toBeUndefined();
    await copy(
      `${from.host}/org/app:v1`,
      '--to',
      `${to.host}/b`,
      '--system',
      'x86_64-linux',
      '--to',
      'docker-archive:one.tar:app:v1',
    );
    expect(to.store.manifest('b', 'v1')?.bytes.equals(amd64.bytes)).toBe(true);
    expect(to.store.manifest('b', attached[1]?.digest ?? '')).toBeDefined();
    expect(to.store.manifest('b', attached[0]?.digest ?? '')).toBeUndefined();
    expect(JSON.parse(await skopeo('inspect', '--config', `docker-archive:${at('one.tar')}:app:v1`)).architecture).toBe(
      'amd64',
    );
  });

  it('is the same as what skopeo copies', async () => {
    await putSigned(open(`${from.host}/org/app`));
    await copy(`${from.host}/org/app:v1`, '--to', 'oci:ours:v1', '--no-referrers');
    await skopeo(
      'copy',
      '--all',
      '--preserve-digests',
      '--src-tls-verify=false',
      `docker://${from.host}/org/app:v1`,
      `oci:${at('theirs')}:v1`,
    );
    const entry = async (layout: string) => JSON.parse(await readFile(at(layout, 'index.json'), 'utf8')).manifests;
    expect((await entry('ours')).map(({ digest }: Descriptor) => digest)).toEqual(
      (await entry('theirs')).map(({ digest }: Descriptor) => digest),
    );
  });
});

describe('what cannot be copied', () => {
  const faulty: readonly (readonly [string, EmulatorOptions])[] = [
    ['a tag that must not change', { immutableTags: { status: 409, code: 'TAG_IMMUTABLE', message: 'immutable tag' } }],
  ];

  it.each(faulty)('%s', async (_name, options) => {
    const fixed = await startEmulator(options);
    try {
      await putSigned(open(`${from.host}/org/app`));
      const old = await putImage(open(`${fixed.host}/a`), 'arm64');
      await open(`${fixed.host}/a`).tag('v1', old.manifest);
      const error = await refused(
        `${from.host}/org/app:v1`,
        '--to',
        `${fixed.host}/a`,
        '--to',
        'oci-archive:fixed.tar',
      );
      expect(error).toContain('does not let the tag v1 change');
      expect(fixed.store.manifest('a', 'v1')?.bytes.equals(old.manifest.bytes)).toBe(true);
    } finally {
      await fixed.stop();
    }
  });

  it.each<[string, (source: string) => readonly string[], RegExp]>([
    ['no destination', (source) => [source], /no destination[\s\S]*--to/],
    ['no image', (source) => [`${source}0`, '--to', 'oci:none'], /has no image v10/],
    [
      'several platforms',
      (source) => [source, '--to', 'docker-archive:two.tar'],
      /holds one platform, and there are 2/,
    ],
    [
      'no tag',
      (source) => [`${source.replace(/:v1$/, '')}@sha256:${'0'.repeat(64)}`, '--to', 'oci:none'],
      /names no tag/,
    ],
    ['no name', () => ['oci:nowhere', '--to', 'oci:{name}'], /no name to put into oci:\{name\}/],
  ])('%s', async (_name, args, says) => {
    await putSigned(open(`${from.host}/org/app`));
    expect(await refused(...args(`${from.host}/org/app:v1`))).toMatch(says);
    expect(tagsPut(to)).toEqual([]);
  });
});
