import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PLAN_VERSION, type Plan, type PlannedJob } from '../../../src/plan/plan.ts';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { sha256 } from '../../support/bytes.ts';
import { runCli } from '../../support/cli.ts';
import { configOf, tarBytes } from '../../support/docker-archive.ts';
import { ROOT } from '../../support/root.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type ProgramResult, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { committedBlobs, expectClear, MANIFEST_TYPE, movedTags } from './kit.ts';

const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
const KEY = 'io.nix-images.layer.key';
const HASHES = 'io.nix-images.layer.store-hashes';
const INHERITED = 'io.nix-images.image.inherited-layers';

let temp: TempDir;
let main: RegistryEmulator;
let mirror: RegistryEmulator;
/** The layer that holds the store path of the image, as it is published anywhere. */
let honest: Layer;

interface Layer {
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly annotations: Readonly<Record<string, string>>;
  readonly layers: readonly Layer[];
}

const seed = crypto.randomUUID();

const run = (to: readonly string[], settings: Readonly<Record<string, string>> = {}, more: readonly string[] = []) =>
  runCli(
    [
      'publish',
      ...['--file', join(ROOT, 'test/fixtures/trust'), '--attr', 'app', ...ONLY_X86],
      ...Object.entries({ seed, ...settings }).flatMap(([name, value]) =>
        ['--argstr', name, value].map((word) => `--nix-arg=${word}`),
      ),
      ...to.flatMap((destination) => ['--to', destination]),
      ...more,
    ],
    // A state of its own: what this machine remembers counts everywhere.
    { env: { XDG_STATE_HOME: join(temp.path, crypto.randomUUID()) } },
  );

const published = (result: ProgramResult): ProgramResult => {
  expect(result.exitCode, result.stderr).toBe(0);
  return result;
};

const imageAt = ({ store }: RegistryEmulator, repository: string, tag: string): Manifest => {
  const read = (reference: string) => JSON.parse(store.manifest(repository, reference)?.bytes.toString() ?? 'null');
  return read(read(tag).manifests[0].digest);
};

const EVIL = 'EVIL\n';

/** What is in the layers of an image, in their order. */
const contents = (registry: RegistryEmulator, repository: string, tag: string): string[] =>
  imageAt(registry, repository, tag).layers.map(({ digest }) => {
    const tar = gunzipSync(registry.store.blob(repository, digest)?.bytes ?? gzipSync(''));
    return tar.includes('EVIL') ? 'evil' : tar.includes('honest') ? 'honest' : 'files';
  });

/** Puts an image with one layer, annotated as if it were the honest one; returns its digest. */
function forge({ store }: RegistryEmulator, repository: string, tag: string): string {
  const tar = tarBytes([{ name: `nix/store/${honest.annotations?.[HASHES]}-app`, content: Buffer.from(EVIL) }]);
  const [layer, config] = [gzipSync(tar), configOf([sha256(tar)])];
  const annotations = {
    [KEY]: honest.annotations?.[KEY],
    'io.nix-images.layer.diff-id': sha256(tar),
    'io.nix-images.layer.unpacked-size': String(tar.length),
    [HASHES]: honest.annotations?.[HASHES],
    'com.example.note': 'kept',
  };
  const of = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: store.putBlob(repository, bytes),
    size: bytes.length,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: of('application/vnd.oci.image.config.v1+json', config),
      layers: [{ ...of(GZIP, layer), annotations, data: layer.toString('base64'), urls: ['https://example.com/x'] }],
      annotations: { [INHERITED]: '0' },
    }),
  );
  store.putManifest(repository, tag, manifest, MANIFEST_TYPE);
  return sha256(manifest);
}

beforeAll(async () => {
  temp = await uniqueTempDir('trust');
  [main, mirror] = await Promise.all([startEmulator(), startEmulator()]);
  published(await run([`${main.host}/lab/app:v1`]));
  const [layer] = imageAt(main, 'lab/app', 'v1').layers;
  if (!layer) throw new Error('there is no layer');
  honest = layer;
});

afterAll(async () => {
  await Promise.all([main?.stop(), mirror?.stop(), temp?.remove()]);
});

test("a base's author cannot give it the place of one of the image's own layers", async () => {
  const base = `${main.host}/base/app@${forge(main, 'base/app', 'v1')}`;
  const to = [`${main.host}/on-base/app:v1`];
  published(await run(to, { base }));
  const { annotations, layers } = imageAt(main, 'on-base/app', 'v1');
  expect(annotations[INHERITED]).toBe('1');
  expect(Object.keys(layers[0] ?? {}).sort()).toEqual(['annotations', 'digest', 'mediaType', 'size']);
  expect(layers[0]?.annotations).toEqual({ 'com.example.note': 'kept' });
  // The base is gone, and its layer was believed to be the image's own.
  published(await run(to, { salt: '2' }));
  expect(contents(main, 'on-base/app', 'v1')).toEqual(['honest', 'files']);
});

test('what a mirror says of a layer never gets into the main registry', async () => {
  forge(mirror, 'mirror/app', 'v2');
  const to = [`${main.host}/victim/app:v2`, `${mirror.host}/mirror/app:v2`];
  const moved = movedTags(main).length;
  expectClear(await run(to), /differs: /, mirror.host, /--no-reuse/);
  expect(movedTags(main)).toHaveLength(moved);
  published(await run(to, {}, ['--no-reuse']));
  expect(contents(main, 'victim/app', 'v2')).toEqual(['honest', 'files']);
  expect(contents(mirror, 'mirror/app', 'v2')).toEqual(['honest', 'files']);
});

test('two honest destinations cost nothing; one that lacks layers gets them made, and the other gets nothing', async () => {
  const to = [`${main.host}/both/app:v1`, `${mirror.host}/both/app:v1`];
  published(await run(to.slice(0, 1)));
  const before = [main, mirror].map((registry) => committedBlobs(registry).length);
  const sent = (): number[] =>
    [main, mirror].map((registry, at) => committedBlobs(registry).length - (before[at] ?? 0));
  published(await run(to));
  // Two layers and the config.
  expect(sent()).toEqual([0, 3]);
  published(await run(to));
  expect(sent()).toEqual([0, 3]);
  // Both vouch for the store path; the file and the config are new.
  const { stderr } = published(await run(to, { salt: '2' }));
  expect(stderr).toContain('reusing 1 of 2 layers');
  expect(sent()).toEqual([2, 5]);
});

test('what the workflow names counts for every destination', async () => {
  const to = [`${main.host}/named/app:v1`, `${mirror.host}/named/app:v1`];
  const { stderr } = published(await run(to, {}, ['--reuse-from', `${main.host}/lab/app:v1`]));
  expect(stderr).toContain('reusing 2 of 2 layers');
});

test('what a plan found at one destination does not settle it for another', async () => {
  published(await run([`${mirror.host}/planned/app:v1`]));
  const { annotations } = imageAt(mirror, 'planned/app', 'v1');
  const index = JSON.parse(mirror.store.manifest('planned/app', 'v1')?.bytes.toString() ?? 'null');
  const job: PlannedJob = {
    system: 'x86_64-linux',
    buildSystem: null,
    kind: 'definition',
    attr: 'app',
    key: annotations['io.nix-images.image.key'] ?? '',
    published: index.manifests[0].digest,
  };
  const to = `${mirror.host}/planned/app`;
  const plan: Plan = {
    schemaVersion: PLAN_VERSION,
    call: '0123abcd',
    plannedAt: null,
    to: [to],
    images: [{ name: 'test/app', tag: null, why: '', source: { flake: '.', file: null }, jobs: [job], missing: [] }],
    leftOut: [],
    problems: [],
  };
  const publish = (...more: string[]) => runCli(['publish', '--plan', JSON.stringify(plan), '--to', to, ...more]);
  const both = ['--to', `${main.host}/planned/app`];
  published(await publish());
  expectClear(await publish(...both), /is published, but not yet at docker:\/\/\S+\/planned\/app/, main.host);
  published(await publish(...both, '--reuse-from', to));
  // Now that it is there, nobody else is believed.
  published(await publish(...both));
});

test('a handover that names another registry is refused before its password goes there', async () => {
  let requests = 0;
  const internal = createServer((_request, response) => {
    requests += 1;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="internal"' }).end();
  });
  await new Promise<void>((resolve) => internal.listen(0, '127.0.0.1', resolve));
  const { port } = internal.address() as { port: number };
  const host = `127.0.0.1:${port}`;
  const folder = join(temp.path, 'handover');
  const put = async (mediaType: string, content: string) => {
    const digest = sha256(Buffer.from(content));
    await writeFile(join(folder, 'blobs/sha256', digest.slice(7)), content);
    return { mediaType, digest, size: content.length };
  };
  try {
    await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
    const config = await put(
      'application/vnd.oci.image.config.v1+json',
      configOf([sha256(Buffer.from('x'))]).toString(),
    );
    const layers = [{ mediaType: GZIP, digest: sha256(Buffer.from('secret')), size: 6 }];
    const manifest = await put(
      MANIFEST_TYPE,
      JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers }),
    );
    const label = {
      version: 1,
      name: 'a',
      tag: null,
      system: 'x86_64-linux',
      systems: ['x86_64-linux'],
      mode: 'registry',
      run: null,
    };
    const annotations = {
      'io.nix-images.handover': JSON.stringify({ ...label, destination: `docker://${host}/internal/app` }),
    };
    await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(
      join(folder, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
    );
    const login = { auths: { [host]: { auth: Buffer.from('publisher:secret').toString('base64') } } };
    await writeFile(join(temp.path, 'config.json'), JSON.stringify(login));
    const publish = (...more: string[]) =>
      runCli(['publish', '--from', folder, '--to', `${main.host}/public/app:v1`, ...more], {
        env: { DOCKER_CONFIG: temp.path },
      });
    expectClear(await publish(), `docker://${host}/internal/app, where nothing is published`);
    expect(requests).toBe(0);
    // Another repository of a destination's registry is another place, too.
    expectClear(await publish('--to', `${host}/public/app`), /where nothing is published/);
    expect(requests).toBe(0);
    expect((await publish('--reuse-from', `${host}/internal/app`)).exitCode).toBe(1);
    expect(requests).toBeGreaterThan(0);
  } finally {
    internal.close();
  }
});
