// Real Nix, in each version: what it dumps is what the pack's writer takes, and what is read back is that path.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Piece } from '../../../src/cache/cache-index.ts';
import { unpackFrame } from '../../../src/cache/pack-reader.ts';
import { PackWriter } from '../../../src/cache/pack-writer.ts';
import { dumpNar } from '../../../src/nix/dump-nar.ts';
import { parsePathInfo } from '../../../src/nix/path-info.ts';
import { type NixUnderTest, nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { nixEnv } from './fixture.ts';

const run = promisify(execFile);

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-dump-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe.each(nixVersionsUnderTest())('$label', (version: NixUnderTest) => {
  test('a path goes into packs and comes back; one that is not there is an error', async () => {
    await writeFile(join(folder, 'content'), randomBytes(100_000));
    const { stdout } = await run('nix-store', ['--add', join(folder, 'content')], { env: nixEnv(version) });
    const path = stdout.trim();
    const nix = await openNixUnderTest(version);
    const asked = await nix.command(['path-info', '--json', path]);
    const info = parsePathInfo(asked.stdout).get(path);
    if (!info) throw new Error(`${path} is not in the store`);
    let pieces: Piece[] = [];
    const writer = new PackWriter({ folder, limit: 30_000, onPack: async () => undefined });
    await dumpNar(nix, path, async (nar) => {
      pieces = await writer.add(info, nar);
    });
    await writer.end();
    const hash = createHash('sha256');
    const cached = { ...info, references: [], pieces, seconds: 0, system: 'x86_64-linux', isLeaf: true, used: 0 };
    for await (const chunk of unpackFrame(cached, (pack) => join(folder, `pack-${pack}`))) hash.update(chunk);
    expect(`sha256-${hash.digest('base64')}`).toBe(info.narHash);
    const other = `/nix/store/${'0'.repeat(32)}-none`;
    await expect(
      dumpNar(nix, other, async (nar) => {
        for await (const _ of nar);
      }),
    ).rejects.toThrow(`cannot read ${other}`);
  });
});
