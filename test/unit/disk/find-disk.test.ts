import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findDisk } from '../../../src/disk/find-disk.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let dir: TempDir;
let storeDir: string;
let made = 0;

beforeAll(async () => {
  dir = await uniqueTempDir('find-disk');
  storeDir = join(dir.path, 'store');
  await mkdir(storeDir);
});

afterAll(() => dir.remove());

/** An output with these files; `OUT` in a text is its path. */
async function outputWith(files: Readonly<Record<string, string>>): Promise<string> {
  made += 1;
  const output = join(storeDir, `${made}-nixos`);
  await mkdir(output);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(output, name)), { recursive: true });
    await writeFile(join(output, name), text.replaceAll('OUT', output));
  }
  return output;
}

const INFO = 'nix-support/image-info.json';
const PRODUCTS = 'nix-support/hydra-build-products';

test('image-info.json says which file it is, and what is known of it', async () => {
  const info = { file: 'OUT/nixos.vhd', label: '25.11', system: 'x86_64-linux', boot_mode: 'uefi', logical_bytes: '5' };
  const output = await outputWith({ [INFO]: JSON.stringify(info), 'nixos.vhd': '', 'other.raw': '' });
  expect(await findDisk(output, { storeDir })).toEqual({
    path: join(output, 'nixos.vhd'),
    packing: undefined,
    label: '25.11',
    system: 'x86_64-linux',
    bootMode: 'uefi',
  });
});

test.each([
  [
    'a product of Hydra',
    { [PRODUCTS]: 'file raw-image OUT/a.raw\nfile log OUT/log.txt\n', 'a.raw': '', 'b.raw': '' },
    'a.raw',
    undefined,
  ],
  [
    'one in quotation marks',
    { [PRODUCTS]: 'file sd-image "OUT/a b.img.zst" x\n', 'a b.img.zst': '' },
    'a b.img.zst',
    'zstd',
  ],
  ['one of a folder', { 'x.qcow2': '', 'readme.txt': '' }, 'x.qcow2', undefined],
  ['a packed one', { 'x.img.xz': '' }, 'x.img.xz', 'xz'],
] as const)('a disk is found as %s', async (_name, files, name, packing) => {
  const output = await outputWith(files);
  expect(await findDisk(output, { storeDir })).toMatchObject({ path: join(output, name), packing });
});

test('passthru.filePath counts before all others, and an output may be the disk itself', async () => {
  const output = await outputWith({ 'a.raw': '', 'sub/b.bin': '' });
  expect((await findDisk(output, { storeDir, filePath: 'sub/b.bin' })).path).toBe(join(output, 'sub/b.bin'));
  const file = join(storeDir, 'file-nixos.raw.gz');
  await writeFile(file, '');
  expect(await findDisk(file, { storeDir })).toEqual({ path: file, packing: 'gzip' });
});

test('none and several are errors that list what is there', async () => {
  const none = await outputWith({ 'nixos.iso': '', 'a.txt': '' });
  await expect(findDisk(none, { storeDir })).rejects.toThrow(`${none} has no disk, but a.txt, nixos.iso`);
  const many = await outputWith({ 'a.raw': '', 'b.vhd': '', 'c.img': '' });
  await expect(findDisk(many, { storeDir })).rejects.toMatchObject({
    message: `${many} has 3 disks: a.raw, b.vhd, c.img`,
    hint: 'Name one of them by passthru.filePath of the derivation.',
  });
  const zfs = await outputWith({ [INFO]: '{"disks":{"root":{"file":"OUT/r"},"boot":{"file":"OUT/b"}}}' });
  await expect(findDisk(zfs, { storeDir })).rejects.toThrow('has 2 disks: root, boot');
});

test('what leads out of the store is not read', async () => {
  const secret = join(dir.path, 'secret.raw');
  await writeFile(secret, '');
  const output = await outputWith({});
  await symlink(secret, join(output, 'link.raw'));
  const within = await outputWith({ 'inner.raw': '' });
  await symlink(join(within, 'inner.raw'), join(output, 'fine.raw'));
  await expect(findDisk(output, { storeDir, filePath: 'link.raw' })).rejects.toThrow(
    `leads to ${secret}, outside the store`,
  );
  await expect(findDisk(output, { storeDir, filePath: '../../secret.raw' })).rejects.toThrow('outside the store');
  await expect(findDisk(output, { storeDir, filePath: secret })).rejects.toThrow('outside the store');
  const device = await outputWith({ 'nix-support/x': '' });
  await symlink('/dev/zero', join(device, INFO));
  await expect(findDisk(device, { storeDir })).rejects.toThrow('leads to /dev/zero, outside the store');
  expect((await findDisk(output, { storeDir, filePath: 'fine.raw' })).path).toBe(join(within, 'inner.raw'));
});

test.each([
  ['no JSON', '{', 'image-info.json is not JSON'],
  ['another shape', '{"file":5}', 'image-info.json is not valid'],
  ['an unknown boot mode', '{"boot_mode":"bios"}', 'image-info.json is not valid'],
  ['a file that is not there', '{"file":"gone.raw"}', 'no such file or folder'],
  ['a folder', '{"file":"nix-support"}', 'is not a file'],
  ['a byte of zero', '{"file":"a\\u0000b"}', 'outside the store'],
  ['too long a text', ' '.repeat(70_000), 'more than 65536'],
])('image-info.json with %s is an error that says so', async (_name, text, message) => {
  const output = await outputWith({ [INFO]: text });
  await expect(findDisk(output, { storeDir })).rejects.toMatchObject({
    code: 'file',
    message: expect.stringContaining(message),
  });
});
