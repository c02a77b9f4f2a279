// Nix builds a path of 400 MB, and it is saved in packs of 64 MB: seconds of building and packing.
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startCli } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { programPath, runProgram } from '../../support/tools.ts';

const LIMIT = 200_000_000;

/** It takes longer than fetching it would, or it would not be saved. */
const EXPRESSION = `{ busybox, salt }:
let bb = builtins.path { path = busybox; name = "busybox-\${salt}"; };
in derivation {
  name = "large";
  inherit salt;
  system = builtins.currentSystem;
  builder = "\${bb}/busybox";
  args = [ "sh" "-euc" "\${bb}/busybox sleep 10; \${bb}/busybox head -c 400000000 /dev/urandom > $out" ];
}
`;

test('whatever a path has, who saves it stays below 200 MB', { timeout: 180_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cache-saving-'));
  try {
    await mkdir(join(folder, 'bb'));
    await copyFile(programPath('busybox'), join(folder, 'bb/busybox'));
    await writeFile(join(folder, 'large.nix'), EXPRESSION);
    // A database of its own, so that nothing else is there to be saved.
    const env = { NIX_STATE_DIR: join(folder, 'state'), NIX_CONFIG: TEST_NIX_CONFIG };
    const words = ['--no-out-link', join(folder, 'large.nix'), '--arg', 'busybox', join(folder, 'bb')];
    const built = await runProgram('nix-build', [...words, '--argstr', 'salt', basename(folder)], { env });
    expect(built.exitCode, built.stderr).toBe(0);
    const cache = join(folder, 'cache');
    const saving = startCli(['cache-save', cache, '--merge'], { env });
    let peak = 0;
    let isOver = false;
    const ended = saving.ended.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const status = await readFile(`/proc/${saving.process.pid}/status`, 'utf8').catch(() => '');
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
      await setTimeout(20);
    }
    const { exitCode, stderr } = await ended;
    expect(exitCode, stderr).toBe(0);
    const packs = (await readdir(cache)).filter((name) => name.includes('-pack-'));
    expect(packs.length).toBeGreaterThanOrEqual(6);
    expect(peak).toBeGreaterThan(30_000_000);
    expect(peak).toBeLessThan(LIMIT);
    await runProgram('nix-store', ['--delete', built.stdout.trim()], { env });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
