import { expect, test } from 'vitest';
import { definitionsOf } from '../../../src/commands/served-definitions.ts';
import type { Exec } from '../../../src/core/exec.ts';
import type { Host } from '../../../src/host/host.ts';
import type { Nix } from '../../../src/nix/nix.ts';

const INPUTS = { file: undefined, attr: undefined, nixArg: [], system: [] };

test.each([
  '.#app',
  '.',
])('what is fixed of %s is not looked for in its files, and the rest is', async (installable) => {
  const calls: string[] = [];
  const exec: Exec = async (program) => {
    calls.push(program);
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  const host = { exec, cwd: '/' } as Host;
  const fixed = definitionsOf({ ...INPUTS, installable, isFixed: true }, {} as Nix, host);
  expect(await fixed.fingerprint()).toBe(await fixed.fingerprint());
  expect(calls).toEqual([]);
  await definitionsOf({ ...INPUTS, installable }, {} as Nix, host).fingerprint();
  expect(calls).toContain('git');
});
