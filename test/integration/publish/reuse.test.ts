import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData, type Published, runCli, startCli, testImage } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { openFiles } from '../../support/open-files.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';

let temp: TempDir;
let registry: RegistryEmulator;

beforeAll(async () => {
  temp = await uniqueTempDir('reuse');
});

afterAll(async () => {
  await temp?.remove();
});

beforeEach(async () => {
  registry = await startEmulator();
  return () => registry.stop();
});

interface Inspected {
  readonly images: readonly {
    readonly layers: readonly { readonly digest: string; readonly key: string; readonly size: number }[];
  }[];
}

const publish = async (name: string, to: string, more: readonly string[] = []): Promise<Published> =>
  cliData(['publish', ...(await testImage(name)), '--to', `${registry.host}/${to}`, ...more], {
    env: { XDG_STATE_HOME: temp.path },
  });

const layersOf = async (reference: string): Promise<Inspected['images'][number]['layers']> =>
  (await cliData<Inspected>(['inspect', `${registry.host}/${reference}`])).images[0]?.layers ?? [];

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

const isBlobPut = ({ method, path, status }: Asked): boolean =>
  method === 'PUT' && path.includes('/blobs/') && status === 201;

const blobPuts = (requests: readonly Asked[]): number => requests.filter(isBlobPut).length;

/** Rewrites the manifest under a tag, as somebody who may push there could. */
const forge = async (
  repository: string,
  tag: string,
  change: (manifest: { layers: ForgedLayer[] }) => void,
): Promise<void> => {
  const at = (reference: string): string => `http://${registry.host}/v2/${repository}/manifests/${reference}`;
  const accept = { accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json' };
  const index = (await (await fetch(at(tag), { headers: accept })).json()) as { manifests: { digest: string }[] };
  const manifest = (await (await fetch(at(index.manifests[0]?.digest ?? ''), { headers: accept })).json()) as {
    layers: ForgedLayer[];
  };
  change(manifest);
  registry.store.putManifest(
    repository,
    tag,
    Buffer.from(JSON.stringify(manifest)),
    'application/vnd.oci.image.manifest.v1+json',
  );
};

interface ForgedLayer {
  digest: string;
  size: number;
  annotations: Record<string, string>;
}

describe('a publish of what is there already', () => {
  test('asks for little, sends no blob, and gives the same digest', async () => {
    const first = await publish('chain', 'same/app:v1');
    const before = registry.requests.length;
    const again = await publish('chain', 'same/app:v1');
    expect(again.digest).toBe(first.digest);
    expect(again.destinations[0]?.bytesSent).toBe(0);
    const requests = registry.requests.slice(before);
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v2/same/app/manifests/v1']);
  });

  // Of an image with files of every kind, whose layers hold many paths each; it takes a second to compress.
  test('cold, reused and made again have equal layers', async () => {
    const cold = await publish('python', 'equal/app:v1', ONLY_X86);
    for (const [tag, flags] of [
      ['reused', []],
      ['again', ['--no-reuse']],
      ['recompressed', ['--recompress']],
    ] as const) {
      const other = await publish('python', `equal/${tag}:v1`, [
        ...ONLY_X86,
        ...flags,
        '--reuse-from',
        `${registry.host}/equal/app:v1`,
      ]);
      expect(other.digest).toBe(cold.digest);
    }
  });

  test('takes layers over from another repository that is named, by mount', async () => {
    await publish('chain', 'from/app:v1', ONLY_X86);
    const before = registry.requests.length;
    const { destinations } = await publish('chain', 'other/app:v1', [
      ...ONLY_X86,
      '--reuse-from',
      `${registry.host}/from/app:v1`,
    ]);
    const requests = registry.requests.slice(before);
    expect(requests.some(({ query }) => query.includes('mount='))).toBe(true);
    // The config, which is no layer.
    expect(destinations[0]?.bytesSent).toBeLessThan(10_000);
  });

  test('closes an archive whose layers it looks at', async () => {
    const archive = join(temp.path, 'from.tar');
    const env = { XDG_STATE_HOME: temp.path };
    const words = ['publish', ...(await testImage('chain')), ...ONLY_X86, '--to', `oci-archive:${archive}:v1`];
    await cliData(words, { env });
    await publish('chain', 'closing/app:v1', [...ONLY_X86, '--reuse-from', `oci-archive:${archive}:v1`]);
    expect(await openFiles(archive)).toEqual([]);
  });
});

test('an image that shares paths moves only the layers that differ', async () => {
  await publish('python', 'leaf/app:v1', ONLY_X86);
  const before = await layersOf('leaf/app:v1');
  const { destinations } = await publish('pythonAndMore', 'leaf/app:v1', ONLY_X86);
  const after = await layersOf('leaf/app:v1');
  const old = new Set(before.map(({ digest }) => digest));
  const moved = after.filter(({ digest }) => !old.has(digest));
  expect(moved.length).toBeLessThanOrEqual(2);
  expect(destinations[0]?.bytesSent).toBeLessThan(moved.reduce((sum, { size }) => sum + size, 0) + 20_000);
});

describe('what is under the tag is not to be trusted blindly', () => {
  const repaired = (): Promise<void> => expectValid(`${registry.host}/forged/app:v1`);

  beforeEach(async () => {
    await publish('chain', 'forged/app:v1', ONLY_X86);
  });

  test.each<[string, (layer: ForgedLayer) => void]>([
    [
      'a digest that is nowhere',
      (layer) => {
        layer.digest = `sha256:${'0'.repeat(64)}`;
      },
    ],
    [
      'a size that is wrong',
      (layer) => {
        layer.size += 1;
      },
    ],
    [
      'a diffID that is wrong',
      (layer) => {
        layer.annotations['io.nix-images.layer.diff-id'] = `sha256:${'0'.repeat(64)}`;
      },
    ],
    [
      'a key that is none',
      (layer) => {
        layer.annotations['io.nix-images.layer.key'] = 'v9:future';
      },
    ],
    [
      'no annotations, as of another maker',
      (layer) => {
        layer.annotations = {};
      },
    ],
  ])('a layer with %s is made again, and what is published is right', async (_name, spoil) => {
    await forge('forged/app', 'v1', ({ layers }) => {
      for (const layer of layers) spoil(layer);
    });
    await publish('chain', 'forged/app:v1', ONLY_X86);
    await repaired();
  });

  test('a blob that is gone behind a live manifest is sent again', async () => {
    const largest = [...(await layersOf('forged/app:v1'))].sort((a, b) => b.size - a.size)[0]?.digest ?? '';
    registry.store.removeBlob('forged/app', largest);
    await publish('chain', 'forged/app:v1', [...ONLY_X86, '--verify']);
    await repaired();
  });

  test('the same key with another content stops the publish, and names the store paths', async () => {
    await forge('forged/app', 'v1', (manifest) => {
      const [a, b] = manifest.layers;
      if (!a || !b) throw new Error('too few layers');
      // Two layers exchange their keys: each is what it says, but for its content's name.
      const key = 'io.nix-images.layer.key';
      [a.annotations[key], b.annotations[key]] = [b.annotations[key] ?? '', a.annotations[key] ?? ''];
    });
    const args = [
      'publish',
      ...(await testImage('chain')),
      ...ONLY_X86,
      '--to',
      `${registry.host}/forged/app:v1`,
      '--recompress',
    ];
    const { exitCode, stderr } = await runCli(args);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/differs: sha256:.*\/nix\/store\//);
    expect(stderr).toContain('--no-reuse');
  });
});

// Ten starts of the real process: each is killed with SIGKILL, which nothing in it can see.
test('killed at ten places, it ends right and sends no noted blob twice', { timeout: 300_000 }, async () => {
  const args = ['publish', ...(await testImage('python')), ...ONLY_X86, '--to', `${registry.host}/killed/app:v1`];
  const state = join(temp.path, 'killed');
  await mkdir(state);
  // What is killed leaves its temporary folders.
  const env = { XDG_STATE_HOME: state, TMPDIR: temp.path };
  // A blob whose answer was still on its way when the process was killed is in no journal, and may be sent again.
  const noted = new Set<string>();
  const again: string[] = [];
  let seen = 0;
  const lookBack = (): void => {
    const committed = registry.requests.slice(seen).filter(isBlobPut);
    seen = registry.requests.length;
    again.push(
      ...committed.map(({ query }) => new URLSearchParams(query).get('digest') ?? '').filter((d) => noted.has(d)),
    );
  };
  for (let round = 1; round <= 10; round += 1) {
    // In the middle of the first blob's end, of the second's or of the third's.
    const target = blobPuts(registry.requests) + 1 + (round % 3);
    const run = startCli(args, { env });
    while (run.process.exitCode === null && blobPuts(registry.requests) < target)
      await new Promise((resolve) => setTimeout(resolve, 2));
    run.process.kill('SIGKILL');
    await run.ended;
    lookBack();
    for (const digest of await journalled(state)) noted.add(digest);
  }
  expect(noted.size).toBeGreaterThan(3);
  const { exitCode, stderr } = await runCli(args, { env });
  expect(exitCode, stderr).toBe(0);
  lookBack();
  expect(again).toEqual([]);
  await expectValid(`${registry.host}/killed/app:v1`);
});

/** Digests of the blobs that the journals of a state folder say are committed. */
async function journalled(state: string): Promise<string[]> {
  const files = (await readdir(state, { recursive: true })).filter((name) => name.endsWith('.jsonl'));
  const texts = await Promise.all(files.map((name) => readFile(join(state, name), 'utf8')));
  return texts.flatMap((text) =>
    [...text.matchAll(/"digest":"(sha256:[0-9a-f]{64})"/g)].map(([, digest = '']) => digest),
  );
}

test('from a binary cache, with nothing on this machine: what the registry has is not fetched', async () => {
  const cache = join(temp.path, 'cache');
  const nix = ['--extra-experimental-features', 'nix-command'];
  const plain = { NIX_CONFIG: TEST_NIX_CONFIG };
  const env = {
    NIX_CONFIG: `${TEST_NIX_CONFIG}substituters = file://${cache}?trusted=1\n`,
    XDG_CACHE_HOME: join(temp.path, 'nix-cache'),
    XDG_STATE_HOME: temp.path,
  };
  const salt = crypto.randomUUID();
  const image = (rev: string): Promise<string[]> => testImage('chain', { salt, rev });
  const isHere = async (path: string): Promise<boolean> =>
    (await runProgram('nix-store', ['--check-validity', path], { env: plain })).exitCode === 0;

  /** Builds a revision, puts it into the cache and takes it off this machine; returns its paths. */
  const intoCache = async (rev: string): Promise<string[]> => {
    const layout = join(temp.path, `chain-${rev}`);
    await cliData(['publish', ...(await image(rev)), ...ONLY_X86, '--to', `oci:${layout}:v1`]);
    const { images } = await cliData<{ images: { layers: { storePaths: string[] }[] }[] }>([
      'inspect',
      `oci:${layout}`,
    ]);
    const paths = images[0]?.layers.flatMap((layer) => layer.storePaths) ?? [];
    for (const args of [
      ['nix', ...nix, 'copy', '--no-check-sigs', '--to', `file://${cache}`, ...paths],
      ['nix-store', '--delete', '--ignore-liveness', ...paths],
    ]) {
      const done = await runProgram(args[0] ?? '', args.slice(1), { env: plain });
      expect(done.exitCode, done.stderr).toBe(0);
    }
    expect(await Promise.all(paths.map(isHere))).toEqual(paths.map(() => false));
    return paths;
  };

  const fetchedBy = async (rev: string, paths: readonly string[]): Promise<string[]> => {
    const published = await cliData<Published>(
      ['publish', ...(await image(rev)), ...ONLY_X86, '--to', `${registry.host}/cached/app:v1`],
      { env },
    );
    expect(published.digest).toMatch(/^sha256:/);
    const here = await Promise.all(paths.map(isHere));
    return paths.filter((_, at) => here[at]).map((path) => path.slice(44));
  };

  const first = await intoCache('1');
  expect(await fetchedBy('1', first)).toEqual([]);
  expect(await fetchedBy('1', first)).toEqual([]);
  const second = await intoCache('2');
  expect(await fetchedBy('2', second)).toEqual([]);
  await expectValid(`${registry.host}/cached/app:v1`);
});
