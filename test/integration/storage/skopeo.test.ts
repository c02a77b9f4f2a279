import { readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../support/bytes.ts';
import { LARGE, open, read, readAll, skopeo, useFolder } from './bench.ts';
import { collect, putImage, putIndex } from './kit.ts';

const at = useFolder();

/** Packs each 100 kB by itself. */
const inParts =
  (pack: (bytes: Buffer) => Buffer) =>
  (bytes: Buffer): Buffer =>
    Buffer.concat(
      Array.from({ length: Math.ceil(bytes.length / 100_000) }, (_, at) =>
        pack(bytes.subarray(at * 100_000, (at + 1) * 100_000)),
      ),
    );

describe('what we write', () => {
  it.each(['oci', 'oci-archive'])('%s with an index is read by skopeo', async (kind) => {
    const repository = open(`${kind}:${at('out')}`);
    const index = await putIndex(repository, '1.0', LARGE);
    await repository.commit();
    await skopeo('copy', '--all', `${kind}:${at('out')}:1.0`, `dir:${at('dir')}`);
    expect((await readFile(at('dir/manifest.json'))).equals(Buffer.from(index.bytes))).toBe(true);
    expect(await readAll(`${kind}:${at('out')}:1.0`, at('read-all'))).toBe(index.digest);
    expect(await readAll(`${kind}:${at('out')}`, at('read-all'))).toBe(index.digest);
    expect((await readdir(at())).filter((file) => file.includes('partial'))).toEqual([]);
  });

  it('docker-archive is read by skopeo under its name', async () => {
    const destination = `docker-archive:${at('out.tar')}:app:1`;
    const repository = open(destination);
    expect(`${repository.name}:1`).toBe(destination);
    const { manifest, layer } = await putImage(repository, 'amd64', LARGE);
    await repository.tag('1', manifest);
    await repository.commit();
    const config = JSON.parse(await skopeo('inspect', '--config', `docker-archive:${at('out.tar')}:app:1`));
    expect(config.rootfs.diff_ids).toEqual([layer.digest]);
    await skopeo('copy', `docker-archive:${at('out.tar')}`, `dir:${at('dir')}`);
    expect(await readAll(destination, at('read-all'))).toMatch(/^sha256:/);
  });

  it('a docker-archive of two platforms is refused and leaves nothing behind', async () => {
    const repository = open(`docker-archive:${at('out.tar')}`);
    await expect(putIndex(repository, '1.0')).rejects.toMatchObject({ code: 'platforms' });
    await repository.abandon();
    expect(await readdir(at())).toEqual([]);
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
    const { source, reference } = await read(place);
    const found = await source.getManifest(reference);
    const { layers } = JSON.parse(Buffer.from(found?.bytes ?? '{}').toString('utf8'));
    expect(await collect(source.readBlob(layers[0]))).toHaveLength(layers[0].size);
    if (kind !== 'docker-archive') expect(found?.digest).toBe(manifest.digest);
    else expect(layers).toEqual([layer]);
    await source.close();
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    // As pigz and pzstd leave them.
    ['members of gzip', inParts(gzipSync)],
    ['frames of zstd', inParts(zstdCompressSync)],
  ])('a docker-archive that is compressed as a whole (%s) is read', async (_name, compress) => {
    const repository = open(`docker-archive:${at('plain.tar')}:app:1`);
    const { manifest } = await putImage(repository, 'amd64', MIB);
    await repository.tag('1', manifest);
    await repository.commit();
    await writeFile(at('packed'), compress(await readFile(at('plain.tar'))));
    expect(await readAll(`docker-archive:${at('packed')}`, at('read-all'))).toBe(
      await readAll(`docker-archive:${at('plain.tar')}`, at('read-all')),
    );
    await writeFile(at('cut'), compress(await readFile(at('plain.tar'))).subarray(0, 5000));
    await expect(read(`docker-archive:${at('cut')}`)).rejects.toMatchObject({ code: 'file' });
  });
});
