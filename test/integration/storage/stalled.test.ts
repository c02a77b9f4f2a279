import { describe, expect, it } from 'vitest';
import type { StorageWorld } from '../../../src/storage/open.ts';
import { MIB } from '../../support/bytes.ts';
import { start, UPLOAD } from './client.ts';
import { blobOf, writeBlob } from './kit.ts';

/** Patience of a fraction of a second, so that its end can be waited for. */
const SHORT: Partial<StorageWorld> = {
  timeout: 100,
  retry: { attempts: 3, baseDelay: 1, maxDelay: 1, maxRetryAfter: 1, totalTime: 2_000 },
};

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('a registry that stops answering', () => {
  const bytes = Buffer.alloc(40 * MIB, 7);
  const upload = (open: Awaited<ReturnType<typeof start>>['open']) => writeBlob(open(), bytes);

  it.each([
    ['when an upload is opened', 'POST', 0],
    ['when a blob is looked for', 'HEAD', 0],
    ['when a small blob is sent', 'PUT', 0],
  ] as const)('%s', async (_when, method, skip) => {
    const { emulator, open } = await start({}, SHORT);
    emulator.inject({ kind: 'silent', method, path: /./, skip, times: 99 });
    const small = Buffer.from('small');
    expect(await errorOf(open().putBlob(blobOf(small), small))).toMatchObject({
      code: 'registry',
      message: expect.stringMatching(new RegExp(`${emulator.host}.*${method} .*no answer within`)),
      hint: expect.stringContaining('run again'),
    });
    expect(emulator.requests.filter((request) => request.method === method)).toHaveLength(3);
  });

  it('in the middle of a large upload, and all over', async () => {
    const { emulator, open } = await start({}, SHORT);
    for (const method of ['GET', 'PATCH', 'DELETE'])
      emulator.inject({
        ...(method === 'PATCH' ? { kind: 'cut-upload', after: 1, keep: false } : { kind: 'silent' }),
        method,
        path: UPLOAD,
        times: 99,
      });
    expect(await errorOf(upload(open))).toMatchObject({
      code: 'registry',
      message: expect.stringContaining(emulator.host),
    });
    expect(emulator.store.blob('org/app', blobOf(bytes).digest)).toBeUndefined();
  });

  it('takes no bytes but answers questions: not for ever', async () => {
    const slow = { ...SHORT, retry: { attempts: 1000, baseDelay: 1, maxDelay: 1, maxRetryAfter: 1, totalTime: 50 } };
    const { emulator, open } = await start({}, slow);
    emulator.inject({ kind: 'cut-upload', after: 1, keep: false, method: 'PATCH', path: UPLOAD, times: 100_000 });
    // Fifty waits of a millisecond are its time, which ends it long before the number of tries does.
    expect(await errorOf(upload(open))).toMatchObject({ code: 'registry' });
    expect(emulator.requests.filter(({ method }) => method === 'PATCH').length).toBeLessThan(1000);
  });

  it.each([
    ['in the middle of what it says', 500, 150, 'no byte came for 0.1 s'],
    ['or trickles it without end', 5000, 5, 'slower than 16 kB/s'],
  ])('%s', async (_name, blanks, milliseconds, message) => {
    const { emulator, open } = await start({}, SHORT);
    const manifest = Buffer.from(`{"schemaVersion":2,"manifests":[]${' '.repeat(blanks)}}`);
    emulator.store.putManifest('org/app', 'v1', manifest, 'application/vnd.oci.image.index.v1+json');
    emulator.inject({ kind: 'trickle', milliseconds, method: 'GET', path: /manifests/, times: 99 });
    expect(await errorOf(open().getManifest('v1'))).toMatchObject({ message: expect.stringContaining(message) });
  });

  it('in the middle of a blob', async () => {
    const { emulator, open } = await start({}, SHORT);
    const blob = Buffer.alloc(1000, 1);
    emulator.store.putBlob('org/app', blob);
    const read = async (): Promise<void> => {
      for await (const _chunk of open().readBlob(blobOf(blob)));
    };
    // Each try brings a byte, so the line counts as one that moves; then the registry goes silent.
    emulator.inject({ kind: 'trickle', milliseconds: 10_000, method: 'GET', path: /blobs/, times: 2 });
    emulator.inject({ kind: 'silent', method: 'GET', path: /blobs/, times: 99 });
    expect(await errorOf(read())).toMatchObject({ code: 'registry', message: expect.stringContaining(emulator.host) });
  });

  it('trickles a blob: not for ever, though each try brings some of it', async () => {
    const { emulator, open } = await start({}, SHORT);
    const blob = Buffer.alloc(5000, 1);
    emulator.store.putBlob('org/app', blob);
    emulator.inject({ kind: 'trickle', milliseconds: 5, method: 'GET', path: /blobs/, times: 10_000 });
    const read = async (): Promise<void> => {
      for await (const _chunk of open().readBlob(blobOf(blob)));
    };
    expect(await errorOf(read())).toMatchObject({ message: expect.stringContaining('slower than 16 kB/s') });
    expect(emulator.requests).toHaveLength(3);
  });
});
