import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNarParser, type NarSink } from '../../../src/nix/nar.ts';
import { createUnpacker } from '../../../src/nix/unpack-nar.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
beforeAll(async () => {
  temp = await uniqueTempDir('nar');
});
afterAll(() => temp.remove());

/** Strings as a NAR has them; what is a Buffer is taken as it is. */
const nar = (...parts: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat(
    parts.map((part) => {
      if (typeof part !== 'string') return part;
      const text = Buffer.from(part, 'latin1');
      const string = Buffer.alloc(8 + Math.ceil(text.length / 8) * 8);
      string.writeBigUInt64LE(BigInt(text.length));
      text.copy(string, 8);
      return string;
    }),
  );

const MAGIC = 'nix-archive-1';
const FILE = ['(', 'type', 'regular', 'contents', 'x', ')'];
const LINK = ['(', 'type', 'symlink', 'target', '/etc', ')'];
const entry = (name: string, node: readonly string[] = FILE): string[] => [
  'entry',
  '(',
  'name',
  name,
  'node',
  ...node,
  ')',
];
const folder = (...entries: readonly string[][]): string[] => ['(', 'type', 'directory', ...entries.flat(), ')'];

/** Notes what it is given, and writes nothing. */
const listing = (): NarSink & { readonly seen: string[] } => {
  const seen: string[] = [];
  return {
    seen,
    directory: (path) => seen.push(`${path}/`),
    symlink: (path, target) => seen.push(`${path} -> ${target}`),
    file: (path, executable) => {
      let size = 0;
      return {
        write: (piece) => {
          size += piece.length;
        },
        end: () => seen.push(`${path}${executable ? '*' : ''} ${size}`),
      };
    },
  };
};

const list = (bytes: Uint8Array): string[] => {
  const sink = listing();
  const parser = createNarParser(sink);
  try {
    parser.push(bytes);
    parser.end();
  } finally {
    parser.close();
  }
  return sink.seen;
};

const unpack = (bytes: Uint8Array, target: string, sizes: readonly number[] = []): void => {
  const unpacker = createUnpacker(target);
  try {
    let at = 0;
    for (const size of sizes) {
      // The chunk is spoiled afterwards: the parser must not hold on to it.
      const chunk = Buffer.from(bytes.subarray(at, at + size));
      unpacker.push(chunk);
      chunk.fill(0xff);
      at += size;
    }
    unpacker.push(bytes.subarray(at));
    unpacker.end();
  } finally {
    unpacker.close();
  }
};

const dump = (path: string): Buffer => execFileSync('nix-store', ['--dump', path], { maxBuffer: 1 << 28 });

/** Names that are no UTF-8, links that lead out, sizes around the padding, empty and nested folders. */
const awkwardTree = async (at: string): Promise<void> => {
  await mkdir(join(at, 'empty/nested'), { recursive: true });
  for (const size of [0, 1, 7, 8, 9, 65_535, 200_000])
    await writeFile(join(at, `size-${size}`), Buffer.alloc(size, 'b'));
  await writeFile(Buffer.concat([Buffer.from(`${at}/latin`), Buffer.from([0xfc, 0x0a])]), 'bytes');
  await writeFile(join(at, 'y'.repeat(255)), '255');
  await writeFile(join(at, 'Run'), '#!/bin/sh\n');
  await chmod(join(at, 'Run'), 0o755);
  await symlink('/nowhere/at/all', join(at, 'dangling'));
  await symlink(Buffer.concat([Buffer.from('../..'), Buffer.from([0xff])]), join(at, 'out'));
  await symlink('.', join(at, 'self'));
};

describe('a NAR that Nix wrote', () => {
  test('is unpacked so that Nix writes the same again, whatever the chunks', async () => {
    const tree = join(temp.path, 'tree');
    await awkwardTree(tree);
    const bytes = dump(tree);
    const random = fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 60 });
    const all = Array.from({ length: 4000 }, () => 1);
    let round = 0;
    const check = async (sizes: readonly number[]): Promise<void> => {
      round += 1;
      const target = join(temp.path, `again-${round}`);
      unpack(bytes, target, sizes);
      expect(dump(target).equals(bytes)).toBe(true);
      await rm(target, { recursive: true });
    };
    await check(all);
    await fc.assert(fc.asyncProperty(random, check), { numRuns: 15 });
  });

  test('of one file or one link is that file or link', async () => {
    const [file, link] = [join(temp.path, 'file'), join(temp.path, 'link')];
    await writeFile(file, 'alone', { mode: 0o755 });
    await symlink('/etc/passwd', link);
    for (const path of [file, link]) {
      unpack(dump(path), `${path}-again`);
      expect(dump(`${path}-again`).equals(dump(path))).toBe(true);
    }
  });
});

const long = (length: bigint): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(length);
  return bytes;
};

describe('what is no NAR is refused', () => {
  test.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /too early/],
    ['another magic', nar('nix-archive-2', ...FILE), /"nix-archive-2" where nix-archive-1/],
    ['an unknown type', nar(MAGIC, '(', 'type', 'socket', ')'), /"socket" where regular/],
    ['names out of order', nar(MAGIC, ...folder(entry('b'), entry('a'))), /"a" in \/ is out of order/],
    ['a name twice', nar(MAGIC, ...folder(entry('a', LINK), entry('a', folder()))), /out of order/],
    ['an empty name', nar(MAGIC, ...folder(entry(''))), /not a file name/],
    ['a dot', nar(MAGIC, ...folder(entry('.'))), /not a file name/],
    ['two dots', nar(MAGIC, ...folder(entry('..'))), /not a file name/],
    ['a slash', nar(MAGIC, ...folder(entry('a/b'))), /not a file name/],
    ['an absolute name', nar(MAGIC, ...folder(entry('/etc'))), /not a file name/],
    ['a NUL', nar(MAGIC, ...folder(entry('a\0b'))), /not a file name/],
    ['a name of 256 bytes', nar(MAGIC, ...folder(entry('x'.repeat(256)))), /a name in \/ of 256 bytes/],
    ['a link to nothing', nar(MAGIC, '(', 'type', 'symlink', 'target', '', ')'), /is a link to ""/],
    ['a link with a NUL', nar(MAGIC, '(', 'type', 'symlink', 'target', 'a\0', ')'), /is a link to/],
    ['a link of 4096 bytes', nar(MAGIC, '(', 'type', 'symlink', 'target', 'x'.repeat(4096), ')'), /4096 bytes/],
    ['a word without end', long(2n ** 40n), /a word of 1099511627776 bytes/],
    ['a length beyond all numbers', long(2n ** 64n - 1n), /a string of 18446744073709551615 bytes/],
    ['padding that is not zero', nar(MAGIC).fill(1, 21), /padding/],
    ['a text after executable', nar(MAGIC, '(', 'type', 'regular', 'executable', 'yes'), /"yes"/],
    ['bytes behind its end', nar(MAGIC, ...FILE, Buffer.alloc(1)), /follows its end/],
    ['a second node', nar(MAGIC, ...FILE, ...FILE), /follows its end/],
    ['an end that lacks', nar(MAGIC, ...FILE).subarray(0, -1), /too early/],
    ['a file cut in two', nar(MAGIC, '(', 'type', 'regular', 'contents', long(100n)), /too early/],
  ])('%s', (_name, bytes, message) => {
    expect(() => list(bytes)).toThrow(message);
  });

  test('folders nested deeper than any path', () => {
    const open = Array.from({ length: 2100 }, () => ['(', 'type', 'directory', 'entry', '(', 'name', 'd', 'node']);
    expect(() => list(nar(MAGIC, ...open.flat()))).toThrow(/more than 4095 bytes/);
  });
});

test('mutated bytes never hang, crash or leave the folder', async () => {
  const tree = join(temp.path, 'small');
  await mkdir(join(tree, 'a/b'), { recursive: true });
  await writeFile(join(tree, 'a/b/file'), 'content');
  await symlink('../../..', join(tree, 'a/link'));
  await symlink('/', join(tree, 'b'));
  const bytes = dump(tree);
  const change = fc.record({
    at: fc.nat(bytes.length - 1),
    to: fc.oneof(fc.constantFrom(0x2e, 0x2f, 0, 1, 8), fc.nat(255)),
  });
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(bytes.length), async (changes, cut) => {
      round += 1;
      const box = join(temp.path, `box-${round}`);
      await mkdir(join(box, 'in'), { recursive: true });
      const spoiled = Buffer.from(bytes);
      for (const { at, to } of changes) spoiled[at] = to;
      try {
        unpack(spoiled, join(box, 'in', 'it'), [cut]);
      } catch (error) {
        expect(error).toMatchObject({ name: 'UserError' });
      }
      expect(await readdir(box)).toEqual(['in']);
      expect((await readdir(join(box, 'in'))).filter((name) => name !== 'it')).toEqual([]);
      await rm(box, { recursive: true });
    }),
    { numRuns: 300 },
  );
});

test('nothing that is there already is written to', async () => {
  const target = join(temp.path, 'there');
  const aim = join(temp.path, 'aim');
  await symlink(aim, target);
  expect(() => unpack(nar(MAGIC, ...FILE), target)).toThrow(/cannot write .*there/);
  expect(existsSync(aim)).toBe(false);
});
