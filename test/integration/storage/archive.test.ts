import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../support/bytes.ts';
import { runProgram } from '../../support/tools.ts';
import { LARGE, open, read, skopeo, useFolder } from './bench.ts';
import { blobOf, collect, noise, putImage, putIndex, tarFile, writeBlob } from './kit.ts';

const at = useFolder();

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
    const { source, reference } = await read(await make(format));
    const manifest = await source.getManifest(reference);
    const { layers } = JSON.parse(Buffer.from(manifest?.bytes ?? '{}').toString('utf8'));
    expect(layers).toEqual([blobOf(layer), blobOf(layer)]);
    expect(await collect(source.readBlob(layers[1]))).toEqual(layer);
    for (const name of ['1', 'app:1', 'docker.io/library/app:1', manifest?.digest ?? '']) {
      expect((await source.getManifest(name))?.digest).toBe(manifest?.digest);
    }
    expect(await source.getManifest('2')).toBeUndefined();
    await source.close();
  });

  it.each(['L', 'K'])('with a name that no path can have, in a header of type %s, are refused', async (type) => {
    const name = tarFile('././@LongLink', Buffer.alloc(5000, 'x'));
    name.write(type, 156);
    name.fill(' ', 148, 156);
    name.write(
      name
        .subarray(0, 512)
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0'),
      148,
    );
    await writeFile(at('saved.tar'), Buffer.concat([name, tarFile('x', noise(10, 'x')), Buffer.alloc(1024)]));
    await expect(read(`docker-archive:${at('saved.tar')}`)).rejects.toThrow(/in it is longer than 4096/);
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
    await repository.commit();
    expect(JSON.parse(await skopeo('inspect', '--config', `docker-archive:${at('out.tar')}`)).architecture).toBe(
      'amd64',
    );
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
    await repository.commit();
    const { stdout } = await runProgram('tar', ['-tvf', at('out.tar')]);
    const blobs = stdout.split('\n').filter((line) => /sha256\/./.test(line));
    expect(blobs).toHaveLength(5);
    expect(await readdir(at())).toEqual(['out.tar']);
  });

  it('leave what was there until they are committed', async () => {
    await writeFile(at('out.tar'), 'old');
    const repository = open(`oci-archive:${at('out.tar')}`);
    await putIndex(repository, '1.0');
    expect(await readFile(at('out.tar'), 'utf8')).toBe('old');
    await repository.abandon();
    expect(await readdir(at())).toEqual(['out.tar']);
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
        await repository.commit();
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

  it('a folder in its place is told before anything is written', async () => {
    await mkdir(at('out.tar'));
    await expect(open(`oci-archive:${at('out.tar')}`).openBlob()).rejects.toMatchObject({
      code: 'file',
      message: expect.stringContaining('it is a folder'),
    });
    expect(await readdir(at())).toEqual(['out.tar']);
  });

  it('a folder that is missing is named', async () => {
    await expect(open(`oci-archive:${at('no/out.tar')}`).openBlob()).rejects.toMatchObject({
      code: 'file',
      hint: expect.stringContaining('path'),
    });
  });
});
