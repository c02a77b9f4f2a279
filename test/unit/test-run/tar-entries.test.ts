import { chmod, link, mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReadEntry, tarEntries } from '../../../src/tar/reader.ts';
import { readOwners } from '../../../src/test-run/owners.ts';
import type { Runtime } from '../../../src/test-run/runtime.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

// Archives of GNU tar, whose header formats are those of podman and docker.

const LONG = `long/${'n'.repeat(90)}/${'m'.repeat(90)}`;
const FORMATS = ['gnu', 'pax', 'ustar'] as const;

let temp: TempDir;

const archive = (format: string): string => join(temp.path, `${format}.tar`);

beforeAll(async () => {
  temp = await uniqueTempDir('tar-entries');
  const root = join(temp.path, 'root');
  await mkdir(join(root, LONG), { recursive: true });
  await writeFile(join(root, 'file'), 'content\n');
  await chmod(join(root, 'file'), 0o4751);
  await writeFile(join(root, LONG, 'leaf'), 'x'.repeat(600));
  await writeFile(join(root, 'large'), '');
  await truncate(join(root, 'large'), 3_000_000);
  await symlink('../long', join(root, 'long/up'));
  await symlink('/file', join(root, 'absolute'));
  await symlink('loop', join(root, 'loop'));
  await link(join(root, 'file'), join(root, 'file-again'));
  for (const format of FORMATS) {
    const owner = ['--owner=u:1234', '--group=g:5678', '--sort=name'];
    const { exitCode, stderr } = await runProgram('tar', [
      `--format=${format}`,
      ...owner,
      '-C',
      root,
      '-cf',
      archive(format),
      '.',
    ]);
    if (exitCode !== 0) throw new Error(stderr);
  }
});

afterAll(() => temp?.remove());

/** The file in pieces of so many bytes. */
async function* inPieces(file: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = await readFile(file);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const entriesOf = async (stream: AsyncIterable<Uint8Array>, limit = 100): Promise<Map<string, ReadEntry>> => {
  const found = new Map<string, ReadEntry>();
  for await (const entry of tarEntries(stream, () => limit)) found.set(entry.name, entry);
  return found;
};

describe.each(FORMATS)('an archive in the format %s', (format) => {
  test.each([77, 512, 1 << 20])('is read in pieces of %i bytes', async (size) => {
    const found = await entriesOf(inPieces(archive(format), size));
    expect(found.get('file')).toMatchObject({ type: '0', mode: 0o4751, uid: 1234, gid: 5678, size: 8 });
    expect(found.get('file')?.content.toString()).toBe('content\n');
    expect(found.get(`${LONG}/leaf`)).toMatchObject({ type: '0', size: 600 });
    expect(found.get(LONG)).toMatchObject({ type: '5' });
    expect(found.get('long/up')).toMatchObject({ type: '2', link: '../long' });
    expect(found.get('large')).toMatchObject({ size: 3_000_000 });
    // Hard links are an entry that names another.
    expect([found.get('file')?.type, found.get('file-again')?.type]).toEqual(['0', '1']);
  });

  test('gives as much of each content as was asked for', async () => {
    const found = await entriesOf(inPieces(archive(format), 5000), 10);
    expect(found.get(`${LONG}/leaf`)?.content.toString()).toBe('x'.repeat(10));
    expect(found.get('large')?.content).toHaveLength(10);
  });
});

test('what is no archive is refused, and what is cut ends', async () => {
  async function* noise(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(1024, 'no tar file');
  }
  await expect(entriesOf(noise())).rejects.toThrow(RangeError);
  async function* nothing(): AsyncGenerator<Uint8Array> {}
  expect((await entriesOf(nothing())).size).toBe(0);
});

test('owners are found along links', async () => {
  const run: Runtime['run'] = async ([verb, output = '', container]) => {
    expect([verb, container]).toEqual(['export', 'c']);
    await runProgram('cp', [archive('pax'), output.replace('--output=', '')]);
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  const runtime: Runtime = { program: 'podman', label: 'podman 5', network: undefined, userNamespace: undefined, run };
  const ownerOf = await readOwners(runtime, 'c', temp.path, new AbortController().signal);
  const owner = { uid: 1234, gid: 5678 };
  const paths = ['/file', '/absolute', '/long/up', '/long/up/../file', `/long/up/${LONG.slice(5)}/leaf`];
  expect(paths.map(ownerOf)).toEqual(paths.map(() => owner));
  expect(['/nothing', '/loop', '/file/below'].map(ownerOf)).toEqual([undefined, undefined, undefined]);
});
