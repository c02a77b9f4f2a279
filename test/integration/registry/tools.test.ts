import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { copyManifestTree } from '../../../src/registry/copy.ts';
import { parseDestination } from '../../../src/registry/destination.ts';
import { openRepository, openSource } from '../../../src/registry/open.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { blobOf, collect, noise, putImage, putIndex, randomName, tarFile, testDeps, writeBlob } from './kit.ts';

const MIB = 1024 * 1024;
// Over the size up to which blobs are held back, so that chunks and archive slots are met.
const LARGE = 18 * MIB;
// The registry is in plain http on loopback; a policy is needed where the machine has none.
const FLAGS = ['--insecure-policy'];

let folder: TempDir;
let registry: RunningRegistry;

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.stop());
beforeEach(async () => {
  folder = await uniqueTempDir('registry');
});
afterEach(() => folder.remove());

const at = (name: string): string => join(folder.path, name);

const skopeo = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram('skopeo', [...FLAGS, ...args]);
  if (exitCode !== 0) throw new Error(`skopeo ${args.join(' ')}: ${stderr}`);
  return stdout;
};

const open = (destination: string) => openRepository(parseDestination(destination), testDeps());
const read = (destination: string) => openSource(parseDestination(destination), testDeps());

/** Reads everything an image refers to, checked on the way, by copying it to a layout. */
const readAll = async (source: string): Promise<string> => {
  const { repository, reference } = await read(source);
  const { digest } = await copyManifestTree(reference, repository, open(`oci:${at('read-all')}`));
  await repository.close();
  return digest;
};

describe('what we write', () => {
  it('an index in Debian’s registry is inspected and copied by skopeo', async () => {
    const name = randomName();
    const repository = open(`docker://${registry.host}/${name}:1.0`);
    const index = await putIndex(repository, '1.0', LARGE);
    await repository.close();
    const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/${name}:1.0`);
    expect(raw).toBe(Buffer.from(index.bytes).toString('utf8'));
    await skopeo(
      'copy',
      '--all',
      '--src-tls-verify=false',
      `docker://${registry.host}/${name}@${index.digest}`,
      `dir:${at('dir')}`,
    );
    expect(await readAll(`docker://${registry.host}/${name}:1.0`)).toBe(index.digest);
  });

  it.each(['oci', 'oci-archive'])('%s with an index is read by skopeo', async (kind) => {
    const repository = open(`${kind}:${at('out')}`);
    const index = await putIndex(repository, '1.0', LARGE);
    await repository.close();
    await skopeo('copy', '--all', `${kind}:${at('out')}:1.0`, `dir:${at('dir')}`);
    expect((await readFile(at('dir/manifest.json'))).equals(Buffer.from(index.bytes))).toBe(true);
    expect(await readAll(`${kind}:${at('out')}:1.0`)).toBe(index.digest);
    expect(await readAll(`${kind}:${at('out')}`)).toBe(index.digest);
    expect((await readdir(folder.path)).filter((file) => file.includes('partial'))).toEqual([]);
  });

  it('docker-archive is read by skopeo under its name', async () => {
    const destination = `docker-archive:${at('out.tar')}:app:1`;
    const repository = open(destination);
    const { manifest, layer } = await putImage(repository, 'amd64', LARGE);
    await repository.tag('1', manifest);
    await repository.close();
    const config = JSON.parse(await skopeo('inspect', '--config', `docker-archive:${at('out.tar')}:app:1`));
    expect(config.rootfs.diff_ids).toEqual([layer.digest]);
    await skopeo('copy', `docker-archive:${at('out.tar')}`, `dir:${at('dir')}`);
    expect(await readAll(destination)).toMatch(/^sha256:/);
  });

  it('a docker-archive of two platforms is refused and leaves nothing behind', async () => {
    const repository = open(`docker-archive:${at('out.tar')}`);
    await expect(putIndex(repository, '1.0')).rejects.toMatchObject({ code: 'platforms' });
    await repository.abandon();
    expect(await readdir(folder.path)).toEqual([]);
  });

  it('mounts between repositories of Debian’s registry', async () => {
    const [from, to] = [randomName(), randomName()];
    const source = open(`${registry.host}/${from}`);
    const { manifest } = await putImage(source, 'amd64', MIB);
    const target = open(`${registry.host}/${to}`);
    expect((await copyManifestTree(manifest, source, target)).digest).toBe(manifest.digest);
    expect(target.bytesSent).toBe(0);
  });
});

describe('what skopeo writes', () => {
  it.each([
    ['oci:layout:1.0', 'layout'],
    ['oci-archive:image.tar:1.0', 'image.tar'],
    ['docker-archive:image.tar:app:1', 'image.tar'],
  ])('%s is read', async (destination, name) => {
    const first = open(`oci:${at('first')}`);
    const { manifest, layer } = await putImage(first, 'amd64', MIB);
    await first.tag('1.0', manifest);
    const [kind, , ...rest] = destination.split(':');
    const place = [kind, at(name), ...rest].join(':');
    // skopeo compresses where it may.
    const keep = kind === 'docker-archive' ? [] : ['--preserve-digests'];
    await skopeo('copy', ...keep, `oci:${at('first')}:1.0`, place);
    const { repository, reference } = await read(place);
    const found = await repository.getManifest(reference);
    const { layers } = JSON.parse(Buffer.from(found?.bytes ?? '{}').toString('utf8'));
    expect(await collect(repository.readBlob(layers[0]))).toHaveLength(layers[0].size);
    if (kind !== 'docker-archive') expect(found?.digest).toBe(manifest.digest);
    else expect(layers).toEqual([layer]);
    await repository.close();
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('a docker-archive that is compressed as a whole (%s) is read', async (_name, compress) => {
    const repository = open(`docker-archive:${at('plain.tar')}:app:1`);
    const { manifest } = await putImage(repository, 'amd64', MIB);
    await repository.tag('1', manifest);
    await repository.close();
    await writeFile(at('packed'), compress(await readFile(at('plain.tar'))));
    expect(await readAll(`docker-archive:${at('packed')}`)).toBe(await readAll(`docker-archive:${at('plain.tar')}`));
    await writeFile(at('cut'), compress(await readFile(at('plain.tar'))).subarray(0, 5000));
    await expect(read(`docker-archive:${at('cut')}`)).rejects.toMatchObject({ code: 'file' });
  });
});

describe('archives as dockerTools and docker save lay them out', () => {
  const layer = Buffer.concat([tarFile('file', noise(5000, 'file')), Buffer.alloc(1024)]);
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [blobOf(layer).digest, blobOf(layer).digest] },
  });
  const long = `${'deep/'.repeat(30)}layer.tar`;
  const double = `${'deep/'.repeat(30)}double.tar`;

  const make = async (format: string, change: (folder: string) => Promise<unknown> = async () => undefined) => {
    const root = at('unpacked');
    await mkdir(join(root, 'deep/'.repeat(30)), { recursive: true });
    await writeFile(join(root, long), layer);
    await symlink('../deep/layer.tar', join(root, double));
    await writeFile(join(root, 'config.json'), config);
    const entry = { Config: 'config.json', RepoTags: ['app:1'], Layers: [long, double] };
    await writeFile(join(root, 'manifest.json'), JSON.stringify([entry]));
    await change(root);
    const { exitCode } = await runProgram('tar', [`--format=${format}`, '-cf', at('saved.tar'), '-C', root, '.']);
    expect(exitCode).toBe(0);
    return `docker-archive:${at('saved.tar')}`;
  };

  it.each(['gnu', 'pax', 'ustar'])('are read (%s, long names, linked layers)', async (format) => {
    const { repository, reference } = await read(await make(format));
    const manifest = await repository.getManifest(reference);
    const { layers } = JSON.parse(Buffer.from(manifest?.bytes ?? '{}').toString('utf8'));
    expect(layers).toEqual([blobOf(layer), blobOf(layer)]);
    expect(await collect(repository.readBlob(layers[1]))).toEqual(layer);
    for (const name of ['1', 'app:1', 'docker.io/library/app:1', manifest?.digest ?? '']) {
      expect((await repository.getManifest(name))?.digest).toBe(manifest?.digest);
    }
    expect(await repository.getManifest('2')).toBeUndefined();
    await repository.close();
  });

  it.each([
    ['a layer that is not the one its config names', 'digest', (root: string) => writeFile(join(root, long), 'other')],
    [
      'a link out of it',
      'file',
      (root: string) => rm(join(root, long)).then(() => symlink('/etc/passwd', join(root, long))),
    ],
    ['a config that is no JSON', 'file', (root: string) => writeFile(join(root, 'config.json'), '{')],
    ['a manifest.json of another shape', 'file', (root: string) => writeFile(join(root, 'manifest.json'), '{}')],
  ])('with %s are refused', async (_name, code, change) => {
    await expect(make('gnu', change).then(read)).rejects.toMatchObject({ code });
  });

  it('without a name are written and read by skopeo', async () => {
    const repository = open(`docker-archive:${at('out.tar')}`);
    const { manifest } = await putImage(repository, 'amd64');
    await repository.tag('1', manifest);
    await repository.close();
    expect(JSON.parse(await skopeo('inspect', '--config', `docker-archive:${at('out.tar')}`)).architecture).toBe(
      'amd64',
    );
  });
});

describe('layouts', () => {
  it('keep other names, replace the same one and keep annotations', async () => {
    const repository = open(`oci:${at('out')}`);
    const one = await putImage(repository, 'amd64');
    const two = await putImage(repository, 'arm64');
    await repository.tag('a', one.manifest, { 'org.example.revision': '7' });
    await Promise.all([repository.tag('b', one.manifest), repository.tag('c', two.manifest)]);
    await open(`oci:${at('out')}`).tag('b', two.manifest);
    const { manifests } = JSON.parse(await readFile(at('out/index.json'), 'utf8'));
    const entries = manifests.map((entry: { digest: string; annotations: object }) => [
      entry.annotations,
      entry.digest,
    ]);
    const name = 'org.opencontainers.image.ref.name';
    expect(entries).toEqual([
      [{ 'org.example.revision': '7', [name]: 'a' }, one.manifest.digest],
      [{ [name]: 'c' }, two.manifest.digest],
      [{ [name]: 'b' }, two.manifest.digest],
    ]);
  });

  it('abandon removes what is not finished and nothing else', async () => {
    const repository = open(`oci:${at('out')}`);
    const kept = await writeBlob(repository, noise(1000, 'kept'));
    await (await repository.openBlob()).write(noise(1000, 'lost'));
    await repository.abandon();
    expect((await readdir(at('out'))).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
    expect(await repository.hasBlob(kept)).toBe(true);
  });

  it('refuse a folder that holds something else, and one that is none', async () => {
    await writeFile(at('letter.txt'), 'x');
    await expect(open(`oci:${folder.path}`).openBlob()).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining('not empty'),
    });
    await expect(read(`oci:${at('nowhere')}`)).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining(at('nowhere')),
    });
    await expect(open(`oci:${at('letter.txt/below')}`).openBlob()).rejects.toMatchObject({ code: 'file' });
  });

  it('do not lead out by links', async () => {
    const repository = open(`oci:${at('out')}`);
    const secret = Buffer.from('secret');
    await writeFile(at('secret'), secret);
    await repository.openBlob().then((writer) => writer.abort());
    const descriptor = blobOf(secret);
    await symlink(at('secret'), at(`out/blobs/sha256/${descriptor.digest.slice(7)}`));
    await expect(collect(repository.readBlob(descriptor))).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining('leads out'),
    });
    await mkdir(at('elsewhere'));
    await mkdir(at('linked'));
    await symlink(at('elsewhere'), at('linked/blobs'));
    await copyFile(at('out/oci-layout'), at('linked/oci-layout'));
    await expect(open(`oci:${at('linked')}`).openBlob()).rejects.toMatchObject({ code: 'file' });
  });

  it('whose blobs were changed are not believed', async () => {
    const repository = open(`oci:${at('out')}`);
    const descriptor = await writeBlob(repository, noise(1000, 'x'));
    await writeFile(at(`out/blobs/sha256/${descriptor.digest.slice(7)}`), noise(1000, 'y'));
    await expect(collect(repository.readBlob(descriptor))).rejects.toMatchObject({ code: 'digest' });
  });

  it('blobs with another digest are not stored', async () => {
    const repository = open(`oci:${at('out')}`);
    const writer = await repository.openBlob();
    await writer.write(Buffer.from('this'));
    await expect(writer.commit(blobOf(Buffer.from('that')))).rejects.toMatchObject({ code: 'digest' });
    expect(await readdir(at('out/blobs/sha256'))).toEqual([]);
  });
});

describe('archives', () => {
  it('take several large blobs at once, double ones and ones that are given up', async () => {
    const repository = open(`oci-archive:${at('out.tar')}`);
    const [one, two] = [noise(LARGE, 'one'), noise(LARGE + MIB, 'two')];
    const lost = await repository.openBlob();
    await lost.write(one);
    await lost.write(one);
    const writing = Promise.all([writeBlob(repository, one), writeBlob(repository, two), writeBlob(repository, one)]);
    await lost.abort();
    const [first, second] = await writing;
    expect((await collect(repository.readBlob(first))).equals(one)).toBe(true);
    expect((await collect(repository.readBlob(second))).equals(two)).toBe(true);
    const { manifest } = await putImage(repository, 'amd64');
    await repository.tag('1.0', manifest);
    await repository.close();
    const { stdout } = await runProgram('tar', ['-tvf', at('out.tar')]);
    const blobs = stdout.split('\n').filter((line) => /sha256\/./.test(line));
    expect(blobs).toHaveLength(5);
    expect(await readdir(folder.path)).toEqual(['out.tar']);
  });

  it('leave what was there until they are closed', async () => {
    await writeFile(at('out.tar'), 'old');
    const repository = open(`oci-archive:${at('out.tar')}`);
    await putIndex(repository, '1.0');
    expect(await readFile(at('out.tar'), 'utf8')).toBe('old');
    await repository.abandon();
    expect(await readdir(folder.path)).toEqual(['out.tar']);
    expect(await readFile(at('out.tar'), 'utf8')).toBe('old');
  });

  it.each([
    ['is missing', async () => undefined],
    ['is empty', async (path: string) => writeFile(path, '')],
    ['is no tar', async (path: string) => writeFile(path, noise(4096, 'no tar'))],
    [
      'is cut off',
      async (path: string) => {
        const repository = open(`oci-archive:${path}`);
        await putIndex(repository, '1.0', MIB);
        await repository.close();
        await writeFile(path, (await readFile(path)).subarray(0, 200_000));
      },
    ],
    ['is a folder', async (path: string) => void (await mkdir(path))],
  ])('that %s is told so', async (_name, make) => {
    await make(at('in.tar'));
    await expect(read(`oci-archive:${at('in.tar')}`)).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining(at('in.tar')),
    });
  });

  it('a folder that is missing is named', async () => {
    await expect(open(`oci-archive:${at('no/out.tar')}`).openBlob()).rejects.toMatchObject({
      code: 'file',
      hint: expect.stringContaining('path'),
    });
  });
});

describe('Debian’s registry with a password', () => {
  // `user` and `secret`, as htpasswd -B writes them.
  const hash = '$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a';
  it.each([
    ['the right one', 'secret', undefined],
    ['a wrong one', 'wrong', 'credentials'],
  ])('%s', async (_name, password, code) => {
    const guarded = await startRegistry({ htpasswd: `user:${hash}\n` });
    try {
      const keychain = {
        find: async () => ({ kind: 'basic', username: 'user', password, origin: 'a test, user user' }) as const,
      };
      const repository = openRepository(parseDestination(`${guarded.host}/org/app`), testDeps({ keychain }));
      const result = await putIndex(repository, '1.0').then(
        () => undefined,
        (error: unknown) => error,
      );
      if (code === undefined) expect(result).toBeUndefined();
      else expect(result).toMatchObject({ code, message: expect.stringContaining('a test, user user') });
    } finally {
      await guarded.stop();
    }
  });
});
