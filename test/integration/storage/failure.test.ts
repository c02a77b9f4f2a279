import { describe, expect, it } from 'vitest';
import { start } from './client.ts';
import { blobOf, type TestDeps } from './kit.ts';

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
      message: `GET http://${emulator.host}/v2/org/app/manifests/1.0 answered 429: TOOMANYREQUESTS: slow down`,
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
