import { expect, test } from 'vitest';
import { isTrusted, missingLines, parseSettings, readNixSettings } from '../../../src/machine/nix-config.ts';
import { openNix } from '../../../src/nix/nix.ts';
import { memoryLog } from '../../support/memory-log.ts';

const READY = `cores = 2
experimental-features = flakes nix-command
extra-platforms = i686-linux aarch64-linux
max-jobs = 8
trusted-users = root @wheel
`;

test.each([
  ['nothing where all is there', READY, []],
  ['features', READY.replace('flakes ', ''), ['extra-experimental-features = flakes']],
  ['jobs', READY.replace('= 8', '= 1'), ['max-jobs = auto']],
  ['an emulated platform', READY.replace(' aarch64-linux', ''), ['extra-extra-platforms = aarch64-linux']],
])('%s', (_name, text, expected) => {
  expect(missingLines(parseSettings(text), ['aarch64-linux'])).toEqual(expected);
});

test('everything for an installation that is still to come', () => {
  expect(missingLines(undefined, [])).toEqual(['extra-experimental-features = nix-command flakes', 'max-jobs = auto']);
});

test.each([
  ['nix (Determinate Nix 3.22.1) 2.35.2', []],
  ['nix (Nix) 2.34.8', ['extra-experimental-features = nix-command flakes']],
])('features that %s has anyway are not missing', async (version, expected) => {
  const settings = READY.replace('flakes nix-command', 'ca-derivations');
  const exec = async (_program: string, args: readonly string[]) => ({
    ...{ exitCode: 0, stderr: '' },
    stdout: args.includes('--version') ? version : settings,
  });
  const nix = await openNix({ exec, log: memoryLog() });
  expect(missingLines(await readNixSettings(nix, exec), [])).toEqual(expected);
});

test.each([
  ['root', [], true],
  ['runner', [], false],
  ['runner', ['adm', 'wheel'], true],
])('%s in %j is trusted: %j', (user, groups, expected) => {
  expect(isTrusted(parseSettings(READY), user, groups)).toBe(expected);
});
