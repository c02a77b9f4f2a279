import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { MissingBlobError } from '../../../src/storage/destination.ts';
import { statusOf } from '../../../src/storage/registry/failure.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { MIB } from '../../support/bytes.ts';
import { start } from './client.ts';
import { blobOf, collect, noise, putImage, putIndex } from './kit.ts';

describe('reading blobs', () => {
  const bytes = noise(3 * MIB, 'read');
  const path = /\/blobs\/sha256/;
  it.each([
    ['whole', undefined],
    ['over a cut', { method: 'GET', path, kind: 'cut-download', after: MIB }],
    ['over three cuts', { method: 'GET', path, kind: 'cut-download', after: MIB / 2, times: 3 }],
    ['after 503', { method: 'GET', path, kind: 'status', status: 503 }],
  ] as const)('%s', async (_name, fault) => {
    const { emulator, open } = await start();
    emulator.store.putBlob('org/app', bytes);
    if (fault) emulator.inject(fault);
    const read = await collect(open('org/app', 'read').readBlob(blobOf(bytes)));
    expect(read.equals(bytes)).toBe(true);
  });

  it('over a cut from a registry that knows no ranges', async () => {
    const { emulator, open } = await start();
    emulator.store.putBlob('org/app', bytes);
    emulator.inject({ method: 'GET', path, kind: 'cut-download', after: MIB });
    emulator.inject({ method: 'GET', path, skip: 0, kind: 'ignore-range', times: 9 });
    expect((await collect(open().readBlob(blobOf(bytes)))).equals(bytes)).toBe(true);
  });

  it.each([
    ['corrupt bytes', 0],
    ['more bytes than promised', -1],
  ])('refuses %s', async (_name, difference) => {
    const { emulator, open } = await start();
    emulator.store.putBlob('org/app', bytes);
    emulator.inject({ method: 'GET', path, kind: difference === 0 ? 'corrupt' : 'ignore-range' });
    const descriptor = { ...blobOf(bytes), size: bytes.length + difference };
    await expect(collect(open().readBlob(descriptor))).rejects.toMatchObject({ code: 'digest' });
  });

  it('follows redirects without taking the credentials along', async () => {
    const storage = await startEmulator();
    storage.store.putBlob('bucket', bytes);
    const auth = { scheme: 'basic', users: { bob: 'secret' } } as const;
    const keychain = {
      find: async () => ({ kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' }) as const,
    };
    const { emulator, open } = await start({ auth }, { keychain });
    const to = `http://${storage.host}/v2/bucket/blobs/${digestOf(bytes)}?signature=abc`;
    emulator.inject({ method: 'GET', path, kind: 'redirect', to, skip: 2 });
    emulator.store.putBlob('org/app', Buffer.from('first'));
    const repository = open();
    await collect(repository.readBlob(blobOf(Buffer.from('first')))).catch(() => undefined);
    expect((await collect(repository.readBlob(blobOf(bytes)))).equals(bytes)).toBe(true);
    expect(emulator.requests.some(({ headers }) => headers.authorization !== undefined)).toBe(true);
    expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await storage.stop();
  });

  it('does not follow a redirect that leaves https or loopback', async () => {
    const { emulator, open } = await start();
    emulator.inject({ method: 'GET', path, kind: 'redirect', to: 'http://storage.example/x?token=abc' });
    const error = await collect(open().readBlob(blobOf(bytes))).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'registry', message: expect.not.stringContaining('abc') });
  });
});

describe('manifests', () => {
  it('go up with their blobs and come back with their bytes', async () => {
    const { open } = await start();
    const index = await putIndex(open(), '1.0');
    for (const reference of ['1.0', index.digest])
      expect(await open('org/app', 'read').getManifest(reference)).toEqual({
        ...index,
        bytes: Buffer.from(index.bytes),
      });
  });

  it('that are not there are undefined', async () => {
    const { open } = await start();
    expect(await open().getManifest('nothing')).toBeUndefined();
  });

  it('that name a missing blob are told from other failures', async () => {
    const { emulator, open } = await start();
    const repository = open();
    const { manifest, layer } = await putImage(repository, 'amd64');
    emulator.store.removeBlob('org/app', layer.digest);
    const error = await repository.tag('1.0', manifest).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'registry', hint: expect.stringContaining('blob') });
    expect([error instanceof MissingBlobError, statusOf(error)]).toEqual([true, 404]);
  });

  it.each([
    ['a wrong digest header on GET', { method: 'GET', path: /manifests/, kind: 'wrong-digest' }],
    ['corrupt bytes', { method: 'GET', path: /manifests/, kind: 'corrupt' }],
    ['a wrong digest header on PUT', { method: 'PUT', path: /manifests\/1/, kind: 'wrong-digest' }],
  ] as const)('with %s are refused', async (_name, fault) => {
    const { emulator, open } = await start();
    emulator.inject(fault);
    const repository = open();
    const reading = async () => {
      const index = await putIndex(repository, '1.0');
      await repository.getManifest(index.digest);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'digest' });
  });

  it.each([
    ['schema 1', { schemaVersion: 1, name: 'x' }, MEDIA_TYPE.manifest, 'schema 1'],
    ['another type', { schemaVersion: 2, mediaType: 'application/x' }, MEDIA_TYPE.manifest, 'application/x'],
  ])('of %s are refused', async (_name, content, mediaType, part) => {
    const { emulator, open } = await start();
    emulator.store.putManifest('org/app', 'old', Buffer.from(JSON.stringify(content)), mediaType);
    await expect(open().getManifest('old')).rejects.toMatchObject({
      code: 'registry',
      message: expect.stringContaining(part),
    });
  });

  it('over 4 MiB are refused', async () => {
    const { emulator, open } = await start();
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, x: 'x'.repeat(4 * MIB) }));
    emulator.store.putManifest('org/app', 'huge', bytes, MEDIA_TYPE.manifest);
    await expect(open().getManifest('huge')).rejects.toMatchObject({ message: expect.stringContaining('4 MiB') });
  });

  it('are read again when the line is cut', async () => {
    const { emulator, open } = await start();
    const index = await putIndex(open(), '1.0');
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'cut-download', after: 10 });
    expect((await open().getManifest('1.0'))?.digest).toBe(index.digest);
  });
});
