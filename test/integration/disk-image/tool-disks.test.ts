import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { canonicalJson, type Json } from '../../../src/core/canonical-json.ts';
import { DiskThreads } from '../../../src/disk/disk-threads.ts';
import { pullDisk } from '../../../src/disk-image/pull-disk.ts';
import { digestHex, digestOf } from '../../../src/oci/digest.ts';
import { LayoutSource } from '../../../src/storage/layout/layout-source.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData, runCli } from '../../support/cli.ts';
import { diskTools, ownProgram, qemuImg } from '../../support/disks.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { uefiDisk } from '../../support/uefi-disk.ts';
import { expectClear } from '../publish/kit.ts';

// Programs of disks and Nix run a dozen times, one after the other.
let temp: TempDir;
const at = (...parts: string[]): string => join(temp.path, ...parts);

/** The same disk in every format that is read, and one that another machine boots. */
const FORMATS = ['disk.raw', 'disk.qcow2', 'disk.vhd', 'disk.raw.zst', 'arm.raw'];

const IMAGES = `
  let
    image = file: derivation {
      name = "disk";
      system = "x86_64-linux";
      builder = "/bin/sh";
      src = ./disks + "/\${file}";
      args = [ "-c" "/bin/mkdir $out; /bin/cp $src $out/\${file}" ];
    } // { config = { }; filePath = file; };
  in builtins.listToAttrs (map (file: { name = builtins.replaceStrings [ "." ] [ "-" ] file; value = image file; }) [ ${FORMATS.map((file) => `"${file}"`).join(' ')} ])
`;

beforeAll(async () => {
  temp = await uniqueTempDir('tool-disks');
  await mkdir(at('disks'));
  const raw = at('disks/disk.raw');
  await uefiDisk(raw);
  await uefiDisk(at('disks/arm.raw'), 'arm64');
  await qemuImg('convert', '-O', 'qcow2', '-c', raw, at('disks/disk.qcow2'));
  await qemuImg('convert', '-O', 'vpc', '-o', 'subformat=dynamic,force_size=on', raw, at('disks/disk.vhd'));
  await runProgram(programPath('zstd'), ['-q', raw, '-o', at('disks/disk.raw.zst')]);
  await writeFile(at('disks.nix'), IMAGES);
});
afterAll(() => temp.remove());

const attribute = (file: string): string => file.replaceAll('.', '-');
const wordsFor = (file: string): string[] => ['--file', at('disks.nix'), '--attr', attribute(file)];

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly layers: readonly Layer[];
}

const blob = (layout: string, digest: string): Promise<string> =>
  readFile(at(layout, 'blobs/sha256', digest.replace('sha256:', '')), 'utf8');

let manifests: Manifest[] = [];
const chunkOf = (number: number): string => manifests[0]?.layers[number]?.digest ?? 'none';

test('a disk of another tool is the same chunks in every format, and comes back equal, with its holes', async () => {
  manifests = [];
  for (const file of FORMATS.slice(0, 4)) {
    const out = attribute(file);
    const built = await cliData<{ digest: string }>(['build', ...wordsFor(file), '--out', out], { cwd: temp.path });
    manifests.push(JSON.parse(await blob(out, built.digest)));
  }
  const [first] = manifests;
  expect(first?.artifactType).toBe('application/vnd.nix-images.disk.v1');
  // Windows of 4 MiB: tables and the start of the EFI system partition, one piece of data, another across two windows, the backup table.
  expect(first?.layers.map(({ annotations }) => annotations?.['io.nix-images.disk.offset'])).toEqual([
    ...['0', `${45 << 20}`, `${54 << 20}`, `${56 << 20}`, `${(64 << 20) - 524_288}`],
    undefined,
  ]);
  for (const { layers } of manifests) expect(layers).toEqual(first?.layers);
  const pulled = await cliData<{ size: number; dataBytes: number }>(
    ['pull', 'oci:disk-qcow2:x86_64-linux', 'back.raw', '--system', 'x86_64-linux'],
    { cwd: temp.path },
  );
  expect(pulled.size).toBe(64 << 20);
  expect((await runProgram('cmp', [at('back.raw'), at('disks/disk.raw')])).exitCode).toBe(0);
  expect((await stat(at('back.raw'))).blocks * 512).toBeLessThan(pulled.dataBytes);
});

test('too little room for the data of a pulled disk is said before anything is written', async () => {
  const source = new LayoutSource(at('disk-qcow2'));
  const stored = await source.getManifest('x86_64-linux');
  if (stored === undefined) throw new Error('no disk');
  const { exec, signal } = diskTools;
  const openThreads = () => new DiskThreads(ownProgram, 2);
  const pull = (free: number) =>
    pullDisk(source, stored, at('small.raw'), { exec, signal, openThreads, log: memoryLog(), free: async () => free });
  // Four windows of data, and what is at both ends.
  await expect(pull(3 << 20)).rejects.toThrow(
    /^no space for the data of oci:.*: \S+ MB are needed at .*small\.raw, where 3\.1 MB are free$/,
  );
  expect((await readdir(temp.path)).filter((name) => name.startsWith('small'))).toEqual([]);
});

test('inspect says what is on a disk of another tool', async () => {
  const { stdout } = await runCli(['inspect', `oci:${at('disk-raw')}:x86_64-linux`]);
  expect(stdout).toMatch(/^ {2}disk {9}67\.1 MB, with \d+\.\d MB of data$/m);
  expect(stdout).toMatch(/^ {2}boots by {5}uefi$/m);
  expect(stdout).toMatch(/^ {2}partitions {3}ESP \(41\.9 MB\), root \(23\.1 MB\)$/m);
});

test('a loader for another machine, and archives that hold no disks, are refused', async () => {
  const arm = await runCli(['build', ...wordsFor('arm.raw'), '--out', at('arm')]);
  expectClear(arm, /has \/EFI\/BOOT\/BOOTAA64\.EFI and no BOOTX64\.EFI/);
  expect(await readdir(temp.path)).not.toContain('arm');
  const to = ['--to', `docker-archive:${at('a.tar')}`];
  const archive = await runCli(['publish', '--from', at('disk-raw'), '--system', 'x86_64-linux', ...to]);
  expect(archive).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/is a disk, and docker-archive:.* holds container images/),
  });
  expect(await readdir(temp.path)).not.toContain('a.tar');
});

/** The layout of a disk with another manifest, whose digest is right. */
async function changed(name: string, change: (layer: Layer, at: number) => Layer): Promise<string> {
  await cp(at('disk-raw'), at(name), { recursive: true });
  const index = JSON.parse(await readFile(at(name, 'index.json'), 'utf8'));
  const manifest = JSON.parse(await blob(name, index.manifests[0].digest));
  const bytes = Buffer.from(canonicalJson({ ...manifest, layers: manifest.layers.map(change) } as Json));
  const digest = digestOf(bytes);
  await writeFile(at(name, 'blobs/sha256', digestHex(digest)), bytes);
  Object.assign(index.manifests[0], { digest, size: bytes.length });
  await writeFile(at(name, 'index.json'), JSON.stringify(index));
  return `oci:${at(name)}:x86_64-linux`;
}

test('what is not the disk that was published is refused, and no file is left', async () => {
  const pull = (from: string) => runCli(['pull', from, at('no.raw'), '--system', 'x86_64-linux']);
  const says = (layer: Layer, more: Record<string, string>): Layer => ({
    ...layer,
    annotations: { ...layer.annotations, ...more },
  });
  const moved = await changed('moved', (layer, number) =>
    number === 1 ? says(layer, { 'io.nix-images.disk.offset': `${44 << 20}` }) : layer,
  );
  expectClear(await pull(moved), /block 88, at byte 46137344, is not what was published/);
  const longer = await changed('longer', (layer, number) =>
    number === 1 ? says(layer, { 'io.nix-images.disk.length': '524288' }) : layer,
  );
  expectClear(await pull(longer), /unpacks to more, not to 524288 bytes/);
  const twice = await changed('twice', (layer, number) =>
    number === 1 ? says(layer, { 'io.nix-images.disk.offset': '4096' }) : layer,
  );
  expectClear(await pull(twice), /chunk 1 begins at byte 4096, before byte/);
  const blocks = await changed('blocks', (layer) =>
    layer.mediaType.includes('blocks') ? { ...layer, digest: layer.digest, mediaType: 'application/x' } : layer,
  );
  expectClear(await pull(blocks), /it has no digests of blocks/);
  expect((await readdir(temp.path)).filter((name) => name.startsWith('no.raw'))).toEqual([]);
});

test('a registry that takes no artifacts says so, with what to allow there', async () => {
  const refusesArtifacts = { status: 400, code: 'MANIFEST_INVALID', message: 'manifest schema or type not allowed' };
  const registry = await startEmulator({ refusesArtifacts });
  onTestFinished(() => registry.stop());
  const { exitCode, stderr } = await runCli([
    'build',
    ...wordsFor('disk.raw'),
    '--to',
    `${registry.host}/vm`,
    '--out',
    at('q'),
  ]);
  expect(stderr).toMatch(
    /the registry does not take the disk as an artifact\s+hint: Allow application\/vnd\.nix-images\.disk\.config/,
  );
  expect(exitCode).toBe(1);
});

test('chunks that a published disk names and the registry has lost are made again', async () => {
  const registry = await startEmulator();
  onTestFinished(() => registry.stop());
  const to = ['--to', `${registry.host}/vm:1`];
  const words = ['--system', 'x86_64-linux', ...to];
  await cliData(['publish', '--from', at('disk-raw'), ...words]);
  expect(registry.store.blob('vm', chunkOf(1))).toBeDefined();
  registry.store.removeBlob('vm', chunkOf(1));
  const { exitCode, stderr } = await runCli(['build', ...wordsFor('disk.raw'), ...words, '--out', at('again')]);
  expect(stderr).toMatch(/chunks that a disk there names are gone; making all of them again/);
  expect(exitCode).toBe(0);
  await cliData(['pull', `${registry.host}/vm:1`, at('again.raw'), '--system', 'x86_64-linux']);
  expect((await runProgram('cmp', [at('again.raw'), at('disks/disk.raw')])).exitCode).toBe(0);
});
