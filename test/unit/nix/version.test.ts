import { describe, expect, test } from 'vitest';
import type { ExecResult } from '../../../src/core/exec.ts';
import { discover } from '../../../src/nix/discover.ts';
import { evaluateImages } from '../../../src/nix/evaluate.ts';
import { parseInstallable } from '../../../src/nix/installable.ts';
import { openNix } from '../../../src/nix/nix.ts';
import { parseNixVersion, pathInfoFlags, settingsCommands } from '../../../src/nix/version.ts';
import { memoryLog } from '../../support/memory-log.ts';

const FORMAT = ['--json-format', '1'];

describe('nix --version', () => {
  test.each([
    ['nix (Nix) 2.8.0\n', 'nix', 2, 8, [], 'show-config'],
    ['nix (Nix) 2.26.3\n', 'nix', 2, 26, [], 'config'],
    ['nix (Nix) 2.34.8\n', 'nix', 2, 34, FORMAT, 'config'],
    ['nix (Nix) 2.35.0pre20260901_abcdef\n', 'nix', 2, 35, FORMAT, 'config'],
    ['nix (Nix) 3.0.0\n', 'nix', 3, 0, FORMAT, 'config'],
    ['nix (Lix, like Nix) 2.94.0\n', 'lix', 2, 94, [], 'config'],
    ['nix (Lix, like Nix) 2.91.1\nSystem type: x86_64-linux\n', 'lix', 2, 91, [], 'config'],
    ['nix (Determinate Nix 3.11.2) 2.31.1\n', 'determinate', 2, 31, [], 'config'],
    ['nix (Determinate Nix 3.17.0) 2.34.0\n', 'determinate', 2, 34, FORMAT, 'config'],
  ])('%j', (output, implementation, major, minor, flags, settings) => {
    const version = parseNixVersion(output);
    expect(version).toMatchObject({ implementation, major, minor, text: output.split('\n')[0] });
    expect(pathInfoFlags(version)).toEqual(flags);
    expect(settingsCommands(version)[0]?.[0]).toBe(settings);
  });

  test.each([[''], ['command not found'], ['nix (Nix) two']])('%j is refused', (output) => {
    expect(() => parseNixVersion(output)).toThrow('printed no version');
  });
});

describe('sources of flakes have their real names in definitions', () => {
  // Only Determinate Nix makes names up, and only that knows the setting: others warn of it.
  test.each([
    ['nix (Determinate Nix 3.22.1) 2.35.2', true],
    ['nix (Nix) 2.34.8', false],
    ['nix (Lix, like Nix) 2.94.0', false],
  ])('%s', async (version, isAsked) => {
    const evaluations: string[] = [];
    const exec = (_program: string, args: readonly string[]): Promise<ExecResult> => {
      if (args.includes('eval')) evaluations.push(args.join(' '));
      const stdout = args.includes('--version') ? version : '';
      return Promise.resolve({ exitCode: args.includes('eval') ? 1 : 0, stdout, stderr: 'error: no' });
    };
    const nix = await openNix({ exec, log: memoryLog() });
    const asked = { systems: ['x86_64-linux' as const] };
    await expect(evaluateImages(nix, parseInstallable('.#app'), asked)).rejects.toThrow('failed: no');
    const source = { kind: 'flake' as const, flake: '.' };
    await expect(discover(nix, source, { ...asked, variants: [] })).rejects.toThrow('failed: no');
    expect(evaluations.length).toBeGreaterThan(2);
    for (const evaluation of evaluations) {
      expect(evaluation.includes('--option lazy-trees false')).toBe(isAsked);
      expect(evaluation).toContain('--option eval-cache false');
    }
  });
});
