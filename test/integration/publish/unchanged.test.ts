import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { expectClear, type PublishJob, publish, tryPublish } from './kit.ts';

let temp: TempDir;
let registry: RegistryEmulator;

beforeAll(async () => {
  temp = await uniqueTempDir('unchanged');
  registry = await startEmulator({ auth: { scheme: 'token', users: { bob: 'secret' } } });
  await mkdir(join(temp.path, 'docker'));
  const auth = Buffer.from('bob:secret').toString('base64');
  await writeFile(join(temp.path, 'docker/config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

interface Inspected {
  readonly images: readonly {
    readonly layers: readonly { readonly digest: string; readonly storePaths: readonly string[] }[];
  }[];
}

/** What was asked of the registry since then, apart from logging in. */
const askedSince = (count: number): string[] =>
  registry.requests
    .slice(count)
    .filter(({ path, status }) => path !== '/token' && status !== 401)
    .map(({ method, path }) => `${method} ${path}`);

test('unchanged on a fresh runner: one request a tag, and not a byte is read from the store', async () => {
  const env = { DOCKER_CONFIG: join(temp.path, 'docker') };
  const job = (): PublishJob => ({
    image: 'chain',
    // Paths of this test alone, for they are destroyed below.
    settings: { salt },
    to: [`${registry.host}/lab/app:v1`],
    state: join(temp.path, crypto.randomUUID()),
    env,
  });
  const salt = crypto.randomUUID();
  const first = await publish(job());
  const { images } = await cliData<Inspected>(['inspect', `${registry.host}/lab/app:v1`], { env });
  const paths = images[0]?.layers.flatMap((layer) => layer.storePaths) ?? [];
  expect(paths.map((path) => path.slice(44)).sort()).toEqual(['leaf', 'library', 'middle']);
  try {
    // Nix goes on taking them for valid; whoever opens one of them finds nothing.
    for (const path of paths) await rm(path, { recursive: true });
    const before = registry.requests.length;
    const again = await publish(job());
    expect(again.digest).toBe(first.digest);
    expect(again.destinations[0]?.bytesSent).toBe(0);

    expect(askedSince(before)).toEqual(['GET /v2/lab/app/manifests/v1']);

    // Another tag beside it is moved, and nothing else is asked.
    const tagged = registry.requests.length;
    expect((await publish({ ...job(), more: ['--tag', 'v2'] })).digest).toBe(first.digest);
    const [one, two, ...put] = askedSince(tagged);
    expect([one, two].sort()).toEqual(['GET /v2/lab/app/manifests/v1', 'GET /v2/lab/app/manifests/v2']);
    expect(put.at(-1)).toBe('PUT /v2/lab/app/manifests/v2');
    expect(put.filter((request) => !request.endsWith('/manifests/v2'))).toEqual([]);

    // Whoever wants to know asks for everything, and still reads nothing of the store.
    const verified = registry.requests.length;
    expect((await publish({ ...job(), more: ['--verify'] })).digest).toBe(first.digest);
    const layers = images[0]?.layers.map(({ digest }) => `HEAD /v2/lab/app/blobs/${digest}`) ?? [];
    expect(layers.length).toBeGreaterThan(1);
    expect(askedSince(verified)).toEqual(expect.arrayContaining(layers));

    // The proof that a read would have been noticed.
    expectClear(await tryPublish({ ...job(), more: ['--no-reuse'] }), paths[0]?.slice(0, 11) ?? '');
  } finally {
    const nix = { env: { NIX_CONFIG: TEST_NIX_CONFIG } };
    for (const path of paths) await writeFile(path, '');
    await runProgram('nix-store', ['--delete', '--ignore-liveness', ...paths], nix);
  }
});

test('what was published unchanged is valid', async () => {
  const open = await startEmulator();
  try {
    const job = { image: 'chain', to: [`${open.host}/lab/app:v1`], state: join(temp.path, 'valid') };
    await publish(job);
    await publish(job);
    await expectValid(`${open.host}/lab/app:v1`);
  } finally {
    await open.stop();
  }
});
