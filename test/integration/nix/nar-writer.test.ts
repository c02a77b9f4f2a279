// Nix itself says what a NAR is: a process for each random tree, some 30 ms.
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dumpNar } from '../../../src/nix/dump-nar.ts';
import { narOfPath } from '../../../src/nix/nar-writer.ts';
import { type NixUnderTest, nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';

const run = promisify(execFile);

const RUNS = 25;

type Tree =
  | { readonly kind: 'file'; readonly size: number; readonly fill: number; readonly mode: number }
  | { readonly kind: 'link'; readonly target: Uint8Array }
  | { readonly kind: 'folder'; readonly entries: readonly (readonly [Uint8Array, Tree])[] };

/** Bytes of a name: any but NUL and `/`, often such that order by bytes and order by letters differ. */
const nameArb = fc
  .uint8Array({ min: 1, max: 255, minLength: 1, maxLength: 12 })
  .map((bytes) => bytes.map((byte) => (byte === 0x2f ? 0x2e : byte)))
  .filter((bytes) => !['.', '..'].includes(Buffer.from(bytes).toString('latin1')));
const wordArb = fc
  .constantFrom('a', 'a.b', 'a-b', 'A', 'B', 'ab', 'ä', 'z', '~', 'a b', '\u{1f600}', '\uffff')
  .map((text): Uint8Array => Buffer.from(text));
const fileArb = fc.record({
  kind: fc.constant('file' as const),
  size: fc.oneof({ weight: 9, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.nat(600_000) }),
  fill: fc.nat(255),
  mode: fc.constantFrom(0o644, 0o444, 0o755, 0o555, 0o700, 0o645, 0o654),
});
const linkArb = fc.record({ kind: fc.constant('link' as const), target: nameArb });
const { tree: treeArb } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    fileArb,
    linkArb,
    fc.record({
      kind: fc.constant('folder' as const),
      entries: fc.uniqueArray(fc.tuple(fc.oneof(nameArb, wordArb), tie('tree')), {
        maxLength: 6,
        selector: ([name]) => Buffer.from(name).toString('latin1'),
      }),
    }),
  ),
}));

function make(place: Buffer, tree: Tree): void {
  if (tree.kind === 'link') symlinkSync(Buffer.from(tree.target), place);
  else if (tree.kind === 'file') {
    writeFileSync(place, Buffer.alloc(tree.size, tree.fill));
    chmodSync(place, tree.mode);
  } else {
    mkdirSync(place);
    for (const [name, child] of tree.entries) make(Buffer.concat([place, Buffer.from('/'), name]), child);
  }
}

async function written(path: string): Promise<Buffer> {
  const blocks: Buffer[] = [];
  // A block is valid until the next one: it is copied.
  for await (const block of narOfPath(path)) blocks.push(Buffer.from(block));
  return Buffer.concat(blocks);
}

const dumped = async (path: string): Promise<Buffer> =>
  (await run('nix-store', ['--dump', path], { encoding: 'buffer', maxBuffer: 1e9 })).stdout;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nar-writer-'));
});
afterEach(() => rm(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

describe('what is written', () => {
  test('is what Nix dumps, whatever the tree', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(treeArb, async (tree) => {
        const place = at(`tree-${count++}`);
        make(Buffer.from(place), tree);
        expect((await written(place)).equals(await dumped(place))).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test('has every size around blocks and padding, and a file of several blocks', async () => {
    mkdirSync(at('sizes'));
    for (const size of [0, 1, 7, 8, 9, 262_143, 262_144, 262_145, 1_000_001]) {
      writeFileSync(at(`sizes/${size}`), Buffer.alloc(size, 7));
    }
    expect((await written(at('sizes'))).equals(await dumped(at('sizes')))).toBe(true);
  });

  test('has links as they are, though they lead nowhere, out of the tree or to themselves', async () => {
    mkdirSync(at('links'));
    for (const [name, target] of [
      ['out', '/etc/passwd'],
      ['up', '../..'],
      ['self', 'self'],
      ['none', '/nowhere'],
    ] as const) {
      symlinkSync(target, at(`links/${name}`));
    }
    expect((await written(at('links'))).equals(await dumped(at('links')))).toBe(true);
    expect((await written(at('links/out'))).equals(await dumped(at('links/out')))).toBe(true);
  });
});

describe('what is refused', () => {
  test('is what is neither file, directory nor link', async () => {
    await run('mkfifo', [at('pipe')]);
    await expect(written(at('pipe'))).rejects.toThrow(`${at('pipe')}: it is neither file, directory nor symlink`);
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    await expect(written(folder)).rejects.toMatchObject({ code: 'build' });
    await new Promise((resolve) => server.close(resolve));
  });

  test.each([
    ['a directory', 'b', 1, 'a part of the path is not a folder'],
    ['a file', 'b/secret', 4, 'it is a symbolic link'],
    ['the directory of a file', 'b', 4, 'it leads to'],
  ])('is %s that becomes a link meanwhile', async (_what, swapped, blocks, why) => {
    mkdirSync(at('elsewhere'));
    writeFileSync(at('elsewhere/secret'), 'secret');
    mkdirSync(at('tree/b'), { recursive: true });
    // More than two blocks each, so that what follows is read after a block of them was given.
    for (const name of ['a', 'b/a']) writeFileSync(at(`tree/${name}`), Buffer.alloc(600_000));
    writeFileSync(at('tree/b/secret'), 'plain!');
    const writing = narOfPath(at('tree'));
    for (let count = 0; count < blocks; count += 1) await writing.next();
    renameSync(at(`tree/${swapped}`), at('gone'));
    symlinkSync(swapped === 'b' ? at('elsewhere') : at('elsewhere/secret'), at(`tree/${swapped}`));
    const rest = async (): Promise<void> => {
      for await (const _ of writing);
    };
    await expect(rest()).rejects.toMatchObject({ code: 'build', message: expect.stringContaining(why) });
  });

  test('is what cannot be found, or became shorter', async () => {
    await expect(written(at('none'))).rejects.toMatchObject({
      code: 'build',
      message: expect.stringContaining('none'),
    });
    writeFileSync(at('file'), Buffer.alloc(600_000));
    const writing = narOfPath(at('file'));
    await writing.next();
    writeFileSync(at('file'), 'short');
    const rest = async (): Promise<void> => {
      for await (const _ of writing);
    };
    await expect(rest()).rejects.toThrow('it became shorter');
  });
});

test.each(nixVersionsUnderTest())('a store elsewhere is asked by $label', async (version: NixUnderTest) => {
  const root = at('chroot');
  writeFileSync(at('content'), 'content');
  const env = { ...process.env, ...version.env };
  const { stdout } = await run('nix-store', ['--store', root, '--add', at('content')], { env });
  const nix = await openNixUnderTest(version, { elsewhere: { store: root } });
  const blocks: Uint8Array[] = [];
  await dumpNar(nix, stdout.trim(), async (nar) => {
    for await (const block of nar) blocks.push(Buffer.from(block));
  });
  expect(Buffer.concat(blocks).equals(await dumped(at('content')))).toBe(true);
});
