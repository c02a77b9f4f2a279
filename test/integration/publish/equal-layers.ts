import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectValid } from '../../support/valid.ts';
import { publish } from './kit.ts';

let temp: TempDir;
let registry: RegistryEmulator;

/** Opens what `expectEqualLayers` needs for the tests of a file. */
export function prepareEqualLayers(): void {
  beforeAll(async () => {
    temp = await uniqueTempDir('equal-layers');
    registry = await startEmulator();
  });
  afterAll(async () => {
    await registry?.stop();
    await temp?.remove();
  });
}

interface Node {
  readonly text: string;
  readonly bytes: number;
  readonly needs: readonly number[];
}

/** A closure in which each path needs earlier ones, and one of its paths that changes. */
const graphs = fc
  .array(fc.record({ bytes: fc.nat(300_000), needs: fc.array(fc.nat(11), { maxLength: 3 }) }), {
    minLength: 3,
    maxLength: 12,
  })
  .chain((drawn) =>
    fc.record({
      nodes: fc.constant(
        drawn.map(
          ({ bytes, needs }, at): Node => ({
            text: `node ${at}`,
            bytes,
            needs: [...new Set(needs.filter((need) => need < at))],
          }),
        ),
      ),
      changed: fc.nat(drawn.length - 1),
    }),
  );

interface Layer {
  readonly key: string;
  readonly diffId: string;
  readonly tar: Buffer;
}

interface Described {
  readonly digest: string;
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The layers of an image, unpacked; checks each against the diffID that it says. */
const layersOf = (repository: string): Layer[] => {
  const read = (reference: string): unknown =>
    JSON.parse(registry.store.manifest(repository, reference)?.bytes.toString('utf8') ?? 'null');
  const index = read('v1') as { manifests: readonly Described[] };
  const manifest = read(index.manifests[0]?.digest ?? '') as { layers: readonly Described[] };
  return manifest.layers.map(({ digest, mediaType, annotations }) => {
    const packed = registry.store.blob(repository, digest)?.bytes ?? Buffer.alloc(0);
    const tar = mediaType.endsWith('zstd') ? zstdDecompressSync(packed) : gunzipSync(packed);
    const diffId = annotations['io.nix-images.layer.diff-id'] ?? '';
    expect(`sha256:${createHash('sha256').update(tar).digest('hex')}`).toBe(diffId);
    return { key: annotations['io.nix-images.layer.key'] ?? '', diffId, tar };
  });
};

/** Unpacks layers over each other and compares all with the store. */
const expectContent = async (layers: readonly Layer[]): Promise<void> => {
  const folder = join(temp.path, crypto.randomUUID());
  await mkdir(folder);
  for (const { tar, diffId } of layers) {
    const file = join(temp.path, `${diffId.slice(7)}.tar`);
    await writeFile(file, tar);
    const done = await runProgram('tar', ['--extract', '--file', file, '--directory', folder]);
    expect(done.exitCode, done.stderr).toBe(0);
  }
  const list = await runProgram('ls', [join(folder, 'nix/store')]);
  const names = list.stdout.trim().split('\n');
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    const same = await runProgram('diff', [
      '--recursive',
      '--no-dereference',
      join(folder, 'nix/store', name),
      join('/nix/store', name),
    ]);
    expect(same.exitCode, same.stdout).toBe(0);
  }
};

/** Publishes so many graphs by chance: cold, reused and made again, in each codec. Layers of one key must have one content. */
export async function expectEqualLayers(graphCount: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(graphs, async ({ nodes, changed }) => {
      const known = new Map<string, string>();
      const repository = `equal/${crypto.randomUUID()}`;
      const next = nodes.map((node, at) => (at === changed ? { ...node, text: 'another' } : node));
      for (const compression of ['gzip', 'zstd']) {
        const version = async (name: string, content: readonly Node[], ...more: string[]): Promise<string[]> => {
          const to = `${repository}/${compression}/${name}`;
          await publish({
            image: 'graph',
            settings: { graph: JSON.stringify(content), compression },
            to: [`${registry.host}/${to}:v1`],
            more,
            state: join(temp.path, 'state'),
          });
          const layers = layersOf(to);
          for (const { key, diffId } of layers) {
            expect(known.get(key) ?? diffId, `${name} in ${compression}`).toBe(diffId);
            known.set(key, diffId);
          }
          await expectContent(layers);
          await expectValid(`${registry.host}/${to}:v1`, ...(compression === 'zstd' ? ['--fast'] : []));
          return layers.map(({ key }) => key);
        };
        const cold = await version('app', nodes);
        const reused = await version('app', next);
        expect(reused).not.toEqual(cold);
        await version('fresh', next, '--no-reuse');
        const again = await version('app', next, '--recompress');
        expect(again).toEqual(reused);
      }
    }),
    { numRuns: graphCount },
  );
}
