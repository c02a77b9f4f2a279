import { describe, expect, test } from 'vitest';
import { parseNixVersion, pathInfoFlags, settingsCommands } from '../../../src/nix/version.ts';

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
