// Disks of a real kernel and a store of 48 MB, built eight times; a second each.
import { createHash } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { extentEnd } from '../../../src/disk/extent.ts';
import { openDisk } from '../../../src/disk/open-disk.ts';
import { type CliOptions, cliData, runCli, testImage } from '../../support/cli.ts';
import { diskTools } from '../../support/disks.ts';
import { madeDisk } from '../../support/made-disk.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { type StandInDisk, standInDisk } from '../../support/stand-in-disk.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

const MIB = 1024 * 1024;

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

/** SHA-256 of all data of a file and where it lies, and whether it has holes: to read a GiB of zeros takes ten seconds. */
async function fileFacts(file: string): Promise<{ sum: string; size: number; hasHoles: boolean }> {
  const disk = await openDisk(file, diskTools);
  const hash = createHash('sha256');
  for (let block = 0; block < disk.size / MIB; block += 1) {
    if (!disk.extents.some((extent) => extent.offset < (block + 1) * MIB && extentEnd(extent) > block * MIB)) continue;
    const bytes = Buffer.alloc(MIB);
    await disk.read(bytes, block * MIB);
    if (!bytes.equals(Buffer.alloc(MIB))) hash.update(`${block}\n`).update(bytes);
  }
  await disk.close();
  const { size, blocks } = await stat(file);
  return { sum: hash.digest('hex'), size, hasHoles: blocks * 512 < size / 4 };
}

interface Pulled {
  readonly identity: string;
  readonly size: number;
}

interface Config {
  readonly positionsBefore: string | null;
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
  const pulled: Pulled[] = [];
  for (const place of [`${registry.host}/vm:1`, 'oci:layout:1'])
    pulled.push(await cliData<Pulled>(['pull', place, 'vm.raw'], { cwd: temp.path }));
  // The identity is over all blocks, which a pull compares; what the whole file is, is looked at once.
  expect(pulled[0]).toEqual(pulled[1]);
  const made = await madeDisk(standIn.definition, { workDir: temp.path });
  const wanted = await fileFacts(made.path);
  expect(wanted).toMatchObject({ size: 2 ** 30, hasHoles: true });
  expect(await fileFacts(at('vm.raw'))).toEqual(wanted);
  const index = await fromRegistry<{ manifests: object[] }>('vm/manifests/1');
  const platform = { os: 'linux', architecture: 'amd64' };
  expect(index.manifests).toMatchObject([
    { digest: built.digest, platform, artifactType: 'application/vnd.nix-images.disk.v1' },
  ]);
});

test('inspect says what is on it, and which chunk holds what', async () => {
  const { stdout } = await runCli(['inspect', `${registry.host}/vm:1`, '--layers']);
  expect(stdout).toMatch(/^ {2}disk {9}1\.1 GB, with \d+\.\d MB of data$/m);
  expect(stdout).toMatch(/^ {2}partitions {3}ESP \(134\.2 MB\), nix-store \(\S+ MB\), nixos \(268\.4 MB\)$/m);
  expect(stdout).toMatch(/^ {7}bytes 0 to 17408$/m);
  expect(stdout).toMatch(/^ {7}stand-in-system$/m);
});

test('a registry keeps the chunks of a handover, which says where store paths lie; copies are whole', async () => {
  const built = await build(standIn, ...X86, '--to', `${registry.host}/by-registry:1`, '--out', 'light');
  const manifest = await fromRegistry<Manifest>(`by-registry/manifests/${built.digest}`);
  const blobs = await readdir(at('light/blobs/sha256'));
  const kept = manifest.layers.filter(({ digest }) => blobs.includes(digest.replace('sha256:', '')));
  expect(kept.map(({ mediaType }) => mediaType)).toEqual(['application/vnd.nix-images.disk.positions.v1+json']);
  await run('publish', '--from', 'light', ...X86, '--to', `${registry.host}/by-registry:1`);
  await run('copy', `${registry.host}/by-registry:1`, '--to', 'oci-archive:vm.tar:1');
  const { identity } = await cliData<Pulled>(['pull', 'oci-archive:vm.tar:1', 'copied.raw'], { cwd: temp.path });
  expect(identity).toMatch(/^sha256:/);
});

test('the same disk sends nothing more, and stays the same; a leaf that changes sends a few chunks', async () => {
  const to = [...X86, '--to', `${registry.host}/vm:1`];
  const index = await fromRegistry<{ manifests: { digest: string }[] }>('vm/manifests/1');
  const digest = index.manifests[0]?.digest ?? '';
  const before = await fromRegistry<Manifest>(`vm/manifests/${digest}`);
  const again = await build(standIn, ...to, '--out', 'again');
  expect(again).toMatchObject({ digest, bytesSent: 0 });
  const changed = await standInDisk({ revision: '1' });
  const leaf = await build(changed, ...to, '--out', 'leaf');
  const after = await fromRegistry<Manifest>(`vm/manifests/${leaf.digest}`);
  const [old, now] = [chunksOf(before), chunksOf(after)];
  const made = [...now].filter((chunk) => !old.has(chunk));
  expect(now.size).toBeGreaterThan(10);
  // The kernel image's command line, superblock and first process, and the registration.
  expect(made.length).toBeLessThanOrEqual(5);
  const config = await fromRegistry<Config>(`vm/blobs/${after.config.digest}`);
  expect(config.positionsBefore).toBe(before.layers.at(-1)?.digest);

  // The positions as a file give the same disk where nothing is published, and it is another one where all is placed again.
  const file = at('positions.json');
  const blob = await fetch(`http://${registry.host}/v2/vm/blobs/${config.positionsBefore}`);
  await writeFile(file, Buffer.from(await blob.arrayBuffer()));
  const given = await build(changed, ...X86, '--positions', file, '--out', 'given');
  expect(given.digest).toBe(leaf.digest);
  const fresh = await build(changed, ...to, '--fresh', '--out', 'fresh');
  const placedAgain = await fromRegistry<Manifest>(`vm/manifests/${fresh.digest}`);
  expect(await fromRegistry<Config>(`vm/blobs/${placedAgain.config.digest}`)).toMatchObject({ positionsBefore: null });
  const bad = await runCli(['build', ...wordsOf(changed), ...X86, '--positions', at('handover/index.json')]);
  expect(bad).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/index\.json/) });

  await run('publish', '--from', at('leaf'), ...X86, '--to', `${registry.host}/vm:2`);
  const compared = await runCli(['diff', `${registry.host}/vm:1`, `${registry.host}/vm:2`]);
  expect(compared.stdout).toMatch(/stand-in-system/);
});

test('disks of both systems are one index, of which each is pulled by its system', async () => {
  const arm = await standInDisk({ system: 'aarch64-linux' });
  await build(arm, '--system', 'aarch64-linux', '--out', 'arm');
  await run('publish', '--from', 'handover', '--from', 'arm', '--to', `${registry.host}/both:1`);
  const index = await fromRegistry<{ manifests: { digest: string; platform: { architecture: string } }[] }>(
    'both/manifests/1',
  );
  expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
  const words = ['pull', `${registry.host}/both:1`, 'arm.raw', '--system', 'aarch64-linux'];
  const pulled = await cliData<Pulled & { digest: string }>(words, { cwd: temp.path });
  expect(pulled).toMatchObject({ digest: index.manifests[1]?.digest, size: 2 ** 30 });
});

test('a container image is not pulled as a disk', async () => {
  await run('publish', ...(await testImage('small')), ...X86, '--to', 'oci:small:1');
  const { exitCode, stderr } = await runCli(['pull', 'oci:small:1', 'no.raw'], { cwd: temp.path });
  expect(stderr).toMatch(/is not a disk\s+hint: /);
  expect(exitCode).toBe(1);
});
