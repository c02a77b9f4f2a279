import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { committedBlobs, publish, tryPublish } from './kit.ts';

// Nix builds five paths of 200 kB and evaluates three times: some 3 s.

let temp: TempDir;
let registry: RegistryEmulator;

beforeAll(async () => {
  temp = await uniqueTempDir('layer-report');
  registry = await startEmulator();
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

/** An image of a few paths, the last of which holds `text`. */
const job = (text: string, ...more: string[]) => ({
  image: 'graph',
  settings: {
    graph: JSON.stringify([
      { text: 'one', bytes: 200_000, needs: [] },
      { text: 'two', bytes: 200_000, needs: [0] },
      { text, bytes: 200_000, needs: [1] },
    ]),
  },
  to: [`${registry.host}/app`],
  state: join(temp.path, 'state'),
  more,
});

const reportSchema = z.array(
  z.object({
    label: z.string(),
    digest: z.string(),
    way: z.enum(['reused', 'copied', 'shared', 'made']),
    bytesSent: z.number(),
    why: z
      .object({ kind: z.string(), added: z.array(z.string()).optional(), gone: z.array(z.string()).optional() })
      .nullable(),
  }),
);

/** Bytes of the blobs that the registry took. */
const taken = (digests: readonly string[]): number =>
  digests.reduce((sum, digest) => sum + (registry.store.blob('app', digest)?.bytes.length ?? Number.NaN), 0);

test('bytes are those that the registry took, and a layer is made because of the path that changed', async () => {
  await publish(job('before'));
  const first = committedBlobs(registry);
  const trace = join(temp.path, 'trace.json');
  const published = await publish(job('after', '--timings', trace));
  const second = committedBlobs(registry).slice(first.length);
  const [platform] = published.platforms;
  const report = reportSchema.parse(platform && Reflect.get(platform, 'layerReport'));
  const made = report.filter(({ way }) => way === 'made');
  expect(report.filter(({ way }) => way === 'reused').length).toBeGreaterThan(1);
  const layers = second.filter((digest) => made.some((layer) => layer.digest === digest));
  expect(made.map(({ digest }) => digest).sort()).toEqual(layers.sort());
  expect(made.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(taken(layers));
  expect(platform?.bytesSent).toBe(taken(second));
  expect(report.every(({ way, bytesSent }) => way === 'made' || bytesSent === 0)).toBe(true);
  const reason = made.find(({ why }) => why?.kind === 'key')?.why;
  expect(reason?.added).toHaveLength(1);
  // The name of what is gone comes from the image before.
  expect(reason?.gone).toEqual([expect.stringMatching(/^\/nix\/store\/[0-9a-z]{32}-[a-z0-9-]+$/)]);

  const { traceEvents } = JSON.parse(await readFile(trace, 'utf8'));
  const names = traceEvents.map(({ cat, name }: { cat?: string; name: string }) => `${cat}: ${name}`);
  expect(names).toEqual(
    expect.arrayContaining([
      'programs: nix eval',
      'steps: Realising test/graph for x86_64-linux',
      'steps: Making the layers of test/graph for x86_64-linux',
      'steps: Storing config and manifest',
      'steps: Writing and verifying the index',
      'steps: Moving tags',
      ...made.flatMap(({ label }) => [`layers: ${label}`, `sending: ${label}`]),
      `requests: PUT ${registry.host}`,
    ]),
  );
  const thread = traceEvents.find(({ cat }: { cat?: string }) => cat === 'layers');
  expect(thread.args).toEqual({ bytesRead: expect.any(Number), bytesMade: expect.any(Number) });
});

test('a trace is written when the publish fails; the end of one that does not says what was made', async () => {
  const trace = join(temp.path, 'failed.json');
  const failed = await tryPublish({ ...job('', '--timings', trace), settings: { graph: '{' } });
  expect(failed.exitCode).toBe(1);
  expect(JSON.parse(await readFile(trace, 'utf8')).traceEvents).toContainEqual(
    expect.objectContaining({ name: 'nix eval', args: expect.objectContaining({ exitCode: 1 }) }),
  );
  const { stdout } = await tryPublish(job('later'));
  expect(stdout).toMatch(/^layers for linux\/amd64\nlayer +unpacked +compressed +sent( +rate)? +why$/m);
  expect(stdout).toMatch(/key changed: \/nix\/store\/\S+, without \/nix\/store\/\S+$/m);
  expect(stdout).toMatch(/^\d+ layers reused +/m);
});
