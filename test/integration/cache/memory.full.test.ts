// A path of 400 MB, in packs of 64 MB: seconds of packing and unpacking.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { encodeIndex } from '../../../src/cache/index-file.ts';
import { sha256 } from '../../support/bytes.ts';
import { startCli } from '../../support/cli.ts';
import { packFrames } from './fixture.ts';

const SIZE = 400_000_000;
const LIMIT = 200_000_000;

/** The most memory that a process has had, in bytes. */
async function peakOf(pid: number): Promise<number> {
  const [, kibibytes = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

test('whatever a path has, the one who serves it stays below 200 MB', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-memory-'));
  const nar = randomBytes(SIZE);
  const narHash = `sha256-${Buffer.from(sha256(nar).replace('sha256:', ''), 'hex').toString('base64')}`;
  const path = `/nix/store/${'0'.repeat(32)}-large`;
  const info = { path, narHash, narSize: SIZE, references: [] };
  const { index, packs } = packFrames([info], [zstdCompressSync(nar)], 64_000_000);
  for (const [key, bytes] of packs) await writeFile(join(folder, key), bytes);
  await writeFile(join(folder, 'nix-images-v1-index-1-1'), encodeIndex(index));
  const state = join(folder, 'state');
  const serving = startCli(['cache', folder, '--state', state]);
  try {
    const settings = join(state, 'nix.conf');
    while (!existsSync(settings)) await setTimeout(20);
    const [url = ''] = /http:\S+/.exec(await readFile(settings, 'utf8')) ?? [];
    const answers = [1, 2].map(async () => {
      const { status, body } = await fetch(`${url}/nar/${'0'.repeat(32)}.nar.zst`);
      let size = 0;
      for await (const chunk of body ?? []) size += chunk.length;
      return { status, size };
    });
    for (const { status, size } of await Promise.all(answers)) {
      expect(status).toBe(200);
      expect(size).toBeGreaterThanOrEqual(SIZE);
    }
    expect(await peakOf(serving.process.pid ?? 0)).toBeLessThan(LIMIT);
  } finally {
    serving.process.kill();
    await serving.ended;
    await rm(folder, { recursive: true, force: true });
  }
});
