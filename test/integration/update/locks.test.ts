import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { changesIn, readLockFiles, restoreLocks, updateLocks } from '../../../src/commands/lock-files.ts';
import { createExec } from '../../../src/host/exec.ts';
import { updateFlakeLock } from '../../../src/nix/update-lock.ts';
import { updateLockCommand } from '../../../src/nix/version.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { nixVersionsUnderTest, openNixUnderTest } from '../../support/nix.ts';
import { programPath, uniqueTempDir } from '../../support/tools.ts';
import { makeProject } from './kit.ts';

test.each(nixVersionsUnderTest())('$label updates all inputs, and those that are named', async (version) => {
  const project = await makeProject();
  const nix = await openNixUnderTest(version);
  for (const inputs of [['pins'], []]) {
    await project.release();
    const before = await project.lock();
    await updateFlakeLock(nix, project.folder, inputs);
    expect(await project.lock(), inputs.join()).not.toBe(before);
  }
  await project.write('flake.nix', '{ inputs.pins.url = "git+file:///nowhere"; outputs = { ... }: { }; }');
  await expect(updateFlakeLock(nix, project.folder, [])).rejects.toThrow(/updating .*flake\.lock failed: /);
});

const version = (implementation: 'nix' | 'lix' | 'determinate', minor: number) => ({
  ...{ implementation, major: 2, minor, text: '' },
});

test.each([
  [version('nix', 8), 'flake lock /f --update-input a --update-input b', 'flake update /f'],
  [version('nix', 18), 'flake lock /f --update-input a --update-input b', 'flake update /f'],
  [version('nix', 19), 'flake update --flake /f a b', 'flake update --flake /f'],
  [version('determinate', 34), 'flake update --flake /f a b', 'flake update --flake /f'],
  [version('lix', 18), 'flake update --flake /f a b', 'flake update --flake /f'],
])('%j is told in its own words', (one, named, all) => {
  expect(updateLockCommand(one, '/f', ['a', 'b']).join(' ')).toBe(named);
  expect(updateLockCommand(one, '/f', []).join(' ')).toBe(all);
});

const pins = (revision: string): string =>
  JSON.stringify({
    version: 5,
    pins: { tool: { type: 'Git', repository: {}, revision }, other: { type: 'Git', revision: 'x' } },
  });

/** A folder with pins, and a stand-in for npins that writes down what it is told. */
async function pinned(script: string) {
  const folder = await uniqueTempDir('npins');
  onTestFinished(() => folder.remove());
  const program = join(folder.path, 'bin/npins');
  await mkdir(join(folder.path, 'bin'));
  await mkdir(join(folder.path, 'npins'));
  await writeFile(join(folder.path, 'npins/sources.json'), pins('1'));
  await writeFile(program, `#!${programPath('sh')}\n${script}\n`);
  await chmod(program, 0o755);
  const signal = new AbortController().signal;
  const exec = (path: string) => createExec({ env: { ...process.env, PATH: path }, signal });
  const hostWith = (path: string) => ({ exec: exec(path), log: memoryLog(), signal }) as never;
  const host = hostWith([join(folder.path, 'bin'), process.env.PATH].join(delimiter));
  return { locks: await readLockFiles(folder.path), host, noNpins: hostWith('/nonexistent') };
}

test('npins updates the pins that are named, and what it wrote counts', async () => {
  const { locks, host } = await pinned(`echo "$@" > args; echo '${pins('2')}' > npins/sources.json`);
  await updateLocks(locks, ['tool'], undefined as never, host);
  expect(await changesIn(locks)).toMatchObject([{ name: 'tool', old: { revision: '1' }, new: { revision: '2' } }]);
  await restoreLocks(locks);
  expect(await changesIn(locks)).toEqual([]);
});

test('npins that fails, or is not there, is an error that says so', async () => {
  const { locks, host, noNpins } = await pinned('echo "tool: no such branch" >&2; exit 3');
  await expect(updateLocks(locks, [], undefined as never, host)).rejects.toThrow(
    'npins update ended with 3: tool: no such branch',
  );
  await expect(updateLocks(locks, [], undefined as never, noNpins)).rejects.toThrow('cannot run npins');
});
