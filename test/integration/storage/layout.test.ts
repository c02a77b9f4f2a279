import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Repository } from '../../../src/storage/destination.ts';
import { open, read, useFolder } from './bench.ts';
import { blobOf, collect, noise, putImage, writeBlob } from './kit.ts';

const at = useFolder();

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
    await expect(open(`oci:${at()}`).openBlob()).rejects.toMatchObject({
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

  it('whose blobs were changed are made whole by the next who writes them', async () => {
    const bytes = noise(3_000_000, 'x');
    const descriptor = await writeBlob(open(`oci:${at('out')}`), bytes);
    const path = at(`out/blobs/sha256/${descriptor.digest.slice(7)}`);
    const flipped = Buffer.from(bytes);
    flipped[2_000_000] = (flipped[2_000_000] ?? 0) ^ 1;
    await writeFile(path, flipped);
    expect(await open(`oci:${at('out')}`).hasBlob(descriptor)).toBe(false);
    for (const write of [
      (repository: Repository) => repository.putBlob(descriptor, bytes),
      (repository: Repository) => writeBlob(repository, bytes),
    ]) {
      await writeFile(path, flipped);
      const repository = open(`oci:${at('out')}`);
      await write(repository);
      // `toEqual` would look at three million elements one by one.
      expect((await readFile(path)).equals(bytes)).toBe(true);
      expect(repository.bytesSent).toBe(bytes.length);
    }
  });

  it('that change after they were written are noticed when they are read back', async () => {
    const repository = open(`oci:${at('out')}`);
    const descriptor = await writeBlob(repository, noise(1000, 'x'));
    expect(await repository.hasBlob(descriptor, { fresh: true })).toBe(true);
    await writeFile(at(`out/blobs/sha256/${descriptor.digest.slice(7)}`), noise(1000, 'y'));
    expect(await repository.hasBlob(descriptor, { fresh: true })).toBe(false);
  });

  it.each(['oci-archive', 'docker-archive'])('%s: the same', async (kind) => {
    const repository = open(`${kind}:${at('out.tar')}`);
    const descriptor = await writeBlob(repository, noise(1000, 'x'));
    expect(await repository.hasBlob(descriptor, { fresh: true })).toBe(true);
    const [partial = ''] = await readdir(at());
    const bytes = await readFile(at(partial));
    const index = bytes.indexOf(noise(1000, 'x'));
    expect(index).toBeGreaterThan(0);
    bytes[index + 500] = (bytes[index + 500] ?? 0) ^ 1;
    await writeFile(at(partial), bytes);
    expect(await repository.hasBlob(descriptor, { fresh: true })).toBe(false);
    await repository.abandon();
  });

  it('blobs with another digest are not stored', async () => {
    const repository = open(`oci:${at('out')}`);
    const writer = await repository.openBlob();
    await writer.write(Buffer.from('this'));
    await expect(writer.commit(blobOf(Buffer.from('that')))).rejects.toMatchObject({ code: 'digest' });
    expect(await readdir(at('out/blobs/sha256'))).toEqual([]);
  });
});
