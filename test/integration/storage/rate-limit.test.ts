import { describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { start } from './client.ts';
import { putIndex, testDeps } from './kit.ts';

describe('a registry that limits requests', () => {
  it('is left alone by all images at once, and all of them get there', async () => {
    const deps = testDeps();
    const { emulator } = await start({ rate: { requests: 60, window: 60_000, now: deps.clock.now } });
    const images = Array.from({ length: 12 }, (_, number) =>
      openRegistry(parseReference(`${emulator.host}/org/app${number}`), 'write', deps),
    );
    await Promise.all(images.map((image) => putIndex(image, '1.0')));
    const refused = emulator.requests.filter(({ status }) => status === 429).length;
    expect(refused).toBeGreaterThan(0);
    // What is under way when a window ends, for each window that was needed.
    expect(refused).toBeLessThanOrEqual(16 * Math.ceil(emulator.requests.length / 60));
  });

  it('says how long to come back, and that is too long: the error has its words', async () => {
    const { emulator, open } = await start();
    const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'allowed: 2000/minute' }] });
    const headers = { 'retry-after': '3600' };
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'status', status: 429, headers, body, times: 99 });
    await expect(open().getManifest('1.0')).rejects.toMatchObject({
      message: expect.stringMatching(/127\.0\.0\.1.*429: TOOMANYREQUESTS: allowed: 2000\/minute; Retry-After: 3600/),
      hint: expect.stringContaining('limits'),
    });
    expect(emulator.requests).toHaveLength(1);
  });
});
