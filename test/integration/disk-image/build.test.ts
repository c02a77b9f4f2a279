// A disk of a real kernel and a store of 48 MB, built four times; a second each.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CliOptions, cliData } from '../../support/cli.ts';
import { madeDisk } from '../../support/made-disk.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { type StandInDisk, standInDisk } from '../../support/stand-in-disk.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let registry: RunningRegistry;
let standIn: StandInDisk;
const at = (...parts: string[]): string => join(temp.path, ...parts);

const wordsOf = ({ nix }: StandInDisk): string[] => [
  ...['--file', nix.file, '--attr', 'disk'],
  // An empty argument is as good as none, and the command line refuses it.
  ...nix.args.flatMap((argument, index) => (nix.args[index - (index % 3) + 2] === '' ? [] : [`--nix-arg=${argument}`])),
];

interface Built {
  readonly digest: string;
  readonly layers: number;
  readonly bytesSent: number;
}

const build = (disk: StandInDisk, ...more: string[]): Promise<Built> =>
  cliData<Built>(['build', ...wordsOf(disk), '--test-with', 'none', ...more], { cwd: temp.path } satisfies CliOptions);

const run = (...words: string[]): Promise<unknown> => cliData(words, { cwd: temp.path });

beforeAll(async () => {
  temp = await uniqueTempDir('disk-image');
  [registry, standIn] = await Promise.all([startRegistry(), standInDisk()]);
});
afterAll(async () => {
  await registry.stop();
  await temp.remove();
});

/** SHA-256 of a file, and whether it has holes: whatever is not data takes no room. */
async function fileFacts(file: string): Promise<{ sum: string; size: number; hasHoles: boolean }> {
  const { stdout } = await runProgram('sha256sum', [file]);
  const { size, blocks } = await stat(file);
  return { sum: stdout.split(' ')[0] ?? '', size, hasHoles: blocks * 512 < size / 4 };
}

interface Manifest {
  readonly artifactType: string;
  readonly config: { readonly mediaType: string; readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
}

const fromRegistry = async <T>(path: string): Promise<T> => {
  const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
  return (await (await fetch(`http://${registry.host}/v2/${path}`, { headers: { accept } })).json()) as T;
};

const chunksOf = ({ layers }: Manifest): Set<string> =>
  new Set(layers.filter(({ mediaType }) => mediaType.includes('.chunk.')).map(({ digest }) => digest));

const X86 = ['--system', 'x86_64-linux'];

test('a disk goes by a handover to a registry and a layout, and comes back equal, with its holes', async () => {
  const built = await build(standIn, ...X86, '--out', 'handover');
  const to = ['--to', `${registry.host}/vm:1`, '--to', 'oci:layout:1'];
  await run('publish', '--from', 'handover', ...X86, ...to);
  const places = [`${registry.host}/vm:1`, 'oci:layout:1'];
  const facts = [];
  for (const [number, place] of places.entries()) {
    const file = at(`${number}.raw`);
    await run('pull', place, file);
    facts.push(await fileFacts(file));
  }
  const made = await madeDisk(standIn.definition, { workDir: temp.path });
  const wanted = await fileFacts(made.path);
  expect(wanted).toMatchObject({ size: 2 ** 30, hasHoles: true });
  expect(facts).toEqual([wanted, wanted]);
  const index = await fromRegistry<{ manifests: object[] }>('vm/manifests/1');
  const platform = { os: 'linux', architecture: 'amd64' };
  expect(index.manifests).toMatchObject([
    { digest: built.digest, platform, artifactType: 'application/vnd.nix-images.disk.v1' },
  ]);
});

test('the same disk sends nothing more, and stays the same; a leaf that changes sends a few chunks', async () => {
  const to = [...X86, '--to', `${registry.host}/vm:1`];
  const index = await fromRegistry<{ manifests: { digest: string }[] }>('vm/manifests/1');
  const digest = index.manifests[0]?.digest ?? '';
  const before = await fromRegistry<Manifest>(`vm/manifests/${digest}`);
  const again = await build(standIn, ...to, '--out', 'again');
  expect(again).toMatchObject({ digest, bytesSent: 0 });
  const leaf = await build(await standInDisk({ revision: '1' }), ...to, '--out', 'leaf');
  const after = await fromRegistry<Manifest>(`vm/manifests/${leaf.digest}`);
  const [old, now] = [chunksOf(before), chunksOf(after)];
  const made = [...now].filter((chunk) => !old.has(chunk));
  expect(now.size).toBeGreaterThan(10);
  // The table's two ends stay; the kernel image's command line, superblock and first process, and the registration change.
  expect(made.length).toBeLessThanOrEqual(5);
  const config = await fromRegistry<{ positionsBefore: string | null }>(`vm/blobs/${after.config.digest}`);
  expect(config.positionsBefore).toBe(before.layers.at(-1)?.digest);
});

test('disks of both systems are one index, of which each is pulled by its system', async () => {
  const arm = await standInDisk({ system: 'aarch64-linux' });
  await build(arm, '--system', 'aarch64-linux', '--out', 'arm');
  await run('publish', '--from', 'handover', '--from', 'arm', '--to', `${registry.host}/both:1`);
  const index = await fromRegistry<{ manifests: { platform: { architecture: string } }[] }>('both/manifests/1');
  expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
  await run('pull', `${registry.host}/both:1`, 'arm.raw', '--system', 'aarch64-linux');
  const made = await madeDisk(arm.definition, { workDir: temp.path });
  expect(await fileFacts(at('arm.raw'))).toEqual(await fileFacts(made.path));
});
