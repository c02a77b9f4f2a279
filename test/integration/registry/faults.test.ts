import { afterEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/image/digest.ts';
import { MEDIA_TYPE } from '../../../src/image/media-type.ts';
import { isMissingBlob, statusOf } from '../../../src/registry/failure.ts';
import { parseReference } from '../../../src/registry/reference.ts';
import { openRegistryRepository, type RegistryRepository } from '../../../src/registry/registry-repository.ts';
import { type EmulatorOptions, type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { blobOf, collect, noise, putImage, putIndex, type TestDeps, testDeps, writeBlob } from './kit.ts';

const MIB = 1024 * 1024;
const UPLOAD = /\/blobs\/uploads\//;

let running: RegistryEmulator | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const start = async (options: EmulatorOptions = {}, changes: Parameters<typeof testDeps>[0] = {}) => {
  const emulator = await startEmulator(options);
  running = emulator;
  const deps = testDeps(changes);
  const open = (name: string = 'org/app', mode: 'read' | 'write' = 'write'): RegistryRepository =>
    openRegistryRepository({ ...deps, reference: parseReference(`${emulator.host}/${name}`), mode });
  return { emulator, deps, open };
};

const methods = (emulator: RegistryEmulator): string => emulator.requests.map(({ method }) => method).join(' ');

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
  const large = noise(40 * MIB + 12_345, 'large');
  const trials = [
    ['as they come', {}, undefined],
    ['to an absolute Location', { location: 'absolute' }, undefined],
    ['in larger chunks where the registry wants that', { minimumChunk: 20 * MIB }, undefined],
    ['when no Location comes back from a chunk', {}, { method: 'PATCH', path: UPLOAD, kind: 'no-location', times: 9 }],
    [
      'when the line is cut and the part was kept',
      {},
      { method: 'PATCH', path: UPLOAD, skip: 1, kind: 'cut-upload', after: 5 * MIB, keep: true },
    ],
    [
      'when the line is cut and the part was lost',
      {},
      { method: 'PATCH', path: UPLOAD, skip: 1, kind: 'cut-upload', after: 5 * MIB, keep: false },
    ],
    ['when the first chunk is cut', {}, { method: 'PATCH', path: UPLOAD, kind: 'cut-upload', after: 1, keep: false }],
    ['when the answer to a chunk is lost', {}, { method: 'PATCH', path: UPLOAD, kind: 'lose-answer' }],
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
  it.each(trials)('are sent in chunks: %s', async (_name, options, fault) => {
    const { emulator, open } = await start(options);
    if (fault) emulator.inject(fault);
    const repository = open();
    await writeBlob(repository, large);
    expect(emulator.store.blob('org/app', digestOf(large))?.bytes.equals(large)).toBe(true);
    expect(repository.bytesSent).toBe(large.length);
    expect(emulator.store.uploads.size).toBe(0);
  });

  it('go on in the middle with a new token after 401', async () => {
    const auth = { scheme: 'token', users: { bob: 'secret' } } as const;
    const keychain = {
      find: async () => ({ kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' }) as const,
    };
    const { emulator, open } = await start({ auth }, { keychain });
    emulator.inject({ method: 'PATCH', path: UPLOAD, skip: 1, kind: 'revoke-tokens' });
    await writeBlob(open(), large);
    expect(emulator.store.blob('org/app', digestOf(large))?.bytes.equals(large)).toBe(true);
    expect(emulator.trace().filter((line) => line === 'GET /token')).toHaveLength(2);
  });

  it('fail with a hint when the registry forgets the upload', async () => {
    const { emulator, open } = await start();
    emulator.inject({ method: 'PATCH', path: UPLOAD, skip: 1, kind: 'forget-uploads' });
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
    expect([isMissingBlob(error), statusOf(error)]).toEqual([true, 404]);
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

describe('failures', () => {
  const refused = async (deps: TestDeps, work: Promise<unknown>) => {
    const error = await work.then(
      () => undefined,
      (caught: unknown) => caught,
    );
    return { error, deps };
  };

  it('429 is waited out as the registry says', async () => {
    const { emulator, deps, open } = await start();
    emulator.inject({ method: 'HEAD', path: /blobs/, kind: 'status', status: 429, headers: { 'retry-after': '7' } });
    expect(await open().hasBlob(blobOf(Buffer.from('x')))).toBe(false);
    expect(deps.waits).toEqual([7000]);
    expect(deps.log.lines.join()).toContain('429');
  });

  it('after the last try tells status, code, method and address without its query', async () => {
    const { emulator, deps, open } = await start();
    const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow\u0007 down' }] });
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'status', status: 429, body, times: 99 });
    const { error } = await refused(deps, open().getManifest('1.0'));
    expect(error).toMatchObject({
      code: 'registry',
      message: `GET http://${emulator.host}/v2/org/app/manifests/1.0 was answered 429: TOOMANYREQUESTS: slow down.`,
      hint: expect.stringContaining('limits'),
    });
    expect(emulator.requests).toHaveLength(7);
  });

  it('a body is capped at 1 KiB', async () => {
    const { emulator, open, deps } = await start();
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'status', status: 400, body: 'x'.repeat(1_000_000) });
    const { error } = await refused(deps, open().getManifest('1.0'));
    expect((error as Error).message.length).toBeLessThan(1200);
  });

  it('a registry that is not there is named', async () => {
    const { emulator, open, deps } = await start();
    await emulator.stop();
    const { error } = await refused(deps, open().getManifest('1.0'));
    expect(error).toMatchObject({
      code: 'registry',
      message: expect.stringContaining(emulator.host),
      hint: expect.stringContaining('Nothing listens'),
    });
  });

  it('a server that does not answer does not hang us', async () => {
    const { emulator, open, deps } = await start(
      {},
      { timeout: 50, retry: { attempts: 2, baseDelay: 1, maxDelay: 1, maxRetryAfter: 1, totalTime: 1000 } },
    );
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'slow', milliseconds: 500, times: 9 });
    const { error } = await refused(deps, open().getManifest('1.0'));
    expect(error).toMatchObject({ code: 'registry', message: expect.stringContaining('no answer within') });
  });

  it('a signal stops everything with UserError cancelled', async () => {
    const controller = new AbortController();
    const { emulator, open } = await start({}, { signal: controller.signal });
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'slow', milliseconds: 1000 });
    const work = open().getManifest('1.0');
    setTimeout(() => controller.abort(), 20);
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
  });
});
