import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { MIB } from '../../support/bytes.ts';
import { methods, start, UPLOAD } from './client.ts';
import { blobOf, noise, writeBlob } from './kit.ts';

describe('small blobs', () => {
  it('are looked for, then sent in one PUT, and not looked for again', async () => {
    const { emulator, open } = await start();
    const repository = open();
    const bytes = Buffer.from('hello');
    await repository.putBlob(blobOf(bytes), bytes);
    await repository.putBlob(blobOf(bytes), bytes);
    expect(methods(emulator)).toBe('HEAD POST PUT');
    expect(repository.bytesSent).toBe(5);
    expect(emulator.store.blob('org/app', digestOf(bytes))?.bytes).toEqual(bytes);
  });

  it('that are there already are not sent', async () => {
    const { emulator, open } = await start();
    const bytes = Buffer.from('known');
    emulator.store.putBlob('org/app', bytes);
    const repository = open();
    await writeBlob(repository, bytes);
    expect(methods(emulator)).toBe('HEAD');
    expect(repository.bytesSent).toBe(0);
  });

  const faults = [
    ['5xx on POST', { method: 'POST', path: UPLOAD, kind: 'status', status: 503, times: 2 }],
    ['5xx on PUT', { method: 'PUT', path: UPLOAD, kind: 'status', status: 502 }],
    ['a PUT that is cut', { method: 'PUT', path: UPLOAD, kind: 'cut-upload', after: 3, keep: false }],
    ['a PUT whose answer is lost', { method: 'PUT', path: UPLOAD, kind: 'lose-answer' }],
    ['an upload that is forgotten', { method: 'PUT', path: UPLOAD, kind: 'forget-uploads' }],
    ['a HEAD that is cut', { method: 'HEAD', path: /blobs/, kind: 'lose-answer' }],
  ] as const;
  it.each(faults)('survive %s', async (_name, fault) => {
    const { emulator, open } = await start();
    emulator.inject(fault);
    const bytes = Buffer.from('survivor');
    await open().putBlob(blobOf(bytes), bytes);
    expect(emulator.store.blob('org/app', digestOf(bytes))?.bytes).toEqual(bytes);
  });

  it('whose bytes are not those of the descriptor are not sent', async () => {
    const { emulator, open } = await start();
    const descriptor = blobOf(Buffer.from('this'));
    await expect(open().putBlob(descriptor, Buffer.from('that'))).rejects.toMatchObject({ code: 'digest' });
    expect(methods(emulator)).toBe('');
  });
});

describe('large blobs', () => {
  const large = noise(18 * MIB + 12_345, 'large');
  const trials = [
    ['as they come', {}, undefined],
    ['to an absolute Location', { location: 'absolute' }, undefined],
    ['in chunks where the registry says that it takes them', { minimumChunk: 5 * MIB }, undefined],
    ['in one where chunks would have to be very large', { minimumChunk: 20 * MIB }, undefined],
    ['when no Location comes back', {}, { method: 'PATCH', path: UPLOAD, kind: 'no-location', times: 9 }],
    [
      'when the line is cut and the chunk was kept',
      { minimumChunk: 1 },
      { method: 'PATCH', path: UPLOAD, skip: 1, kind: 'cut-upload', after: 5 * MIB, keep: true },
    ],
    [
      'when the line is cut and the chunk was lost',
      { minimumChunk: 1 },
      { method: 'PATCH', path: UPLOAD, skip: 1, kind: 'cut-upload', after: 5 * MIB, keep: false },
    ],
    [
      'when the line is cut in the middle, and what came is kept',
      {},
      { method: 'PATCH', path: UPLOAD, kind: 'cut-upload', after: 15 * MIB, keep: true },
    ],
    [
      'when the line is cut again and again',
      {},
      { method: 'PATCH', path: UPLOAD, kind: 'cut-upload', after: 15 * MIB, keep: false, times: 2 },
    ],
    ['when the upload is forgotten', {}, { method: 'PATCH', path: UPLOAD, kind: 'forget-uploads' }],
    [
      'when a later chunk finds the upload forgotten',
      { minimumChunk: 1 },
      { method: 'PATCH', path: UPLOAD, skip: 2, kind: 'forget-uploads' },
    ],
    ['when the last PUT finds it forgotten', {}, { method: 'PUT', path: UPLOAD, kind: 'forget-uploads' }],
    ['when the beginning is cut', {}, { method: 'PATCH', path: UPLOAD, kind: 'cut-upload', after: 1, keep: false }],
    ['when the answer to a chunk is lost', { minimumChunk: 1 }, { method: 'PATCH', path: UPLOAD, kind: 'lose-answer' }],
    ['when the answer is lost', {}, { method: 'PATCH', path: UPLOAD, kind: 'lose-answer' }],
    ['after 429', {}, { method: 'PATCH', path: UPLOAD, kind: 'status', status: 429, headers: { 'retry-after': '1' } }],
    ['after 500, three times', {}, { method: 'PATCH', path: UPLOAD, kind: 'status', status: 500, times: 3 }],
    [
      'after an answer that came before the chunk was read',
      {},
      { method: 'PATCH', path: UPLOAD, kind: 'early-status', status: 503 },
    ],
    ['after 416', {}, { method: 'PATCH', path: UPLOAD, kind: 'status', status: 416 }],
    ['when the last PUT fails once', {}, { method: 'PUT', path: UPLOAD, kind: 'status', status: 503 }],
    ['when the answer to the last PUT is lost', {}, { method: 'PUT', path: UPLOAD, kind: 'lose-answer' }],
  ] as const;
  it.each(trials)('are sent: %s', async (_name, options, fault) => {
    const { emulator, open } = await start(options);
    if (fault) emulator.inject(fault);
    const repository = open();
    await writeBlob(repository, large);
    expect(emulator.store.blob('org/app', digestOf(large))?.bytes.equals(large)).toBe(true);
    expect(repository.bytesSent).toBe(large.length);
    expect(emulator.store.uploads.size).toBe(0);
  });

  it('go up again with a new token after 401', async () => {
    const auth = { scheme: 'token', users: { bob: 'secret' } } as const;
    const keychain = {
      find: async () => ({ kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' }) as const,
    };
    const { emulator, open } = await start({ auth }, { keychain });
    emulator.inject({ method: 'PATCH', path: UPLOAD, kind: 'revoke-tokens' });
    await writeBlob(open(), large);
    expect(emulator.store.blob('org/app', digestOf(large))?.bytes.equals(large)).toBe(true);
    expect(emulator.trace().filter((line) => line === 'GET /token')).toHaveLength(2);
    expect(emulator.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(2);
  });

  it('fail with a hint when the registry forgets each upload', async () => {
    const { emulator, open } = await start();
    emulator.inject({ method: 'PATCH', path: UPLOAD, kind: 'forget-uploads', times: 99 });
    await expect(writeBlob(open(), large)).rejects.toMatchObject({
      code: 'registry',
      hint: expect.stringContaining('Run again'),
    });
  });

  it('that a proxy finds too large fail with what it said', async () => {
    const { emulator, open } = await start();
    emulator.inject({ method: 'PATCH', path: UPLOAD, kind: 'early-status', status: 413, times: 99 });
    await expect(writeBlob(open(), large)).rejects.toMatchObject({
      code: 'registry',
      message: expect.stringContaining('413'),
    });
  });

  it('of which the registry finds another digest end with UserError digest', async () => {
    const { emulator, open } = await start();
    const writer = await open().openBlob();
    await writer.write(large);
    const wrong = { ...blobOf(Buffer.from('x')), size: large.length };
    await expect(writer.commit(wrong)).rejects.toMatchObject({ code: 'digest' });
    expect(emulator.store.blob('org/app', wrong.digest)).toBeUndefined();
    expect(emulator.store.uploads.size).toBe(0);
  });

  it('are cancelled at the registry by abandon', async () => {
    const { emulator, open } = await start();
    const repository = open();
    const writer = await repository.openBlob();
    await writer.write(large);
    expect(emulator.store.uploads.size).toBe(1);
    await repository.abandon();
    expect(emulator.store.uploads.size).toBe(0);
  });

  it('give up when the registry keeps failing', async () => {
    const { emulator, open } = await start();
    emulator.inject({ method: 'PATCH', path: UPLOAD, kind: 'status', status: 500, times: 99 });
    await expect(writeBlob(open(), large)).rejects.toMatchObject({ code: 'registry' });
  });
});

describe('mounts', () => {
  const bytes = Buffer.from('shared layer');
  it.each([
    ['mounted', true, 'POST'],
    ['upload', false, 'POST DELETE'],
  ] as const)('answered with %s', async (mount, expected, seen) => {
    const { emulator, open } = await start({ mount });
    emulator.store.putBlob('org/base', bytes);
    expect(await open().mountBlob(blobOf(bytes), open('org/base', 'read'))).toBe(expected);
    expect(methods(emulator)).toBe(seen);
    expect(emulator.store.uploads.size).toBe(0);
  });

  it('ask for a token that may read the other repository', async () => {
    const auth = { scheme: 'token', users: { bob: 'secret' } } as const;
    const keychain = {
      find: async () => ({ kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' }) as const,
    };
    const { emulator, open } = await start({ auth }, { keychain });
    emulator.store.putBlob('org/base', bytes);
    expect(await open().mountBlob(blobOf(bytes), open('org/base', 'read'))).toBe(true);
    const asked = emulator.requests.find(({ path }) => path === '/token');
    expect(new URLSearchParams(asked?.query).getAll('scope')).toEqual([
      'repository:org/app:pull,push',
      'repository:org/base:pull',
    ]);
  });

  it('that are refused are no error', async () => {
    const { emulator, open } = await start();
    emulator.inject({ method: 'POST', path: UPLOAD, kind: 'status', status: 403 });
    expect(await open().mountBlob(blobOf(bytes), open('org/base', 'read'))).toBe(false);
  });
});
