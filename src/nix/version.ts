import { UserError } from '../core/error.ts';

/** A Nix and what it calls itself. `major` and `minor` are those of the Nix release that it behaves like. */
export interface NixVersion {
  readonly implementation: 'nix' | 'lix' | 'determinate';
  readonly major: number;
  readonly minor: number;
  /** As printed, for messages: `nix (Nix) 2.34.8`. */
  readonly text: string;
}

const VERSION = /^nix \((.+?)\) (\d+)\.(\d+)/m;

function implementationOf(name: string): NixVersion['implementation'] {
  if (/^lix\b/i.test(name)) return 'lix';
  return /^determinate\b/i.test(name) ? 'determinate' : 'nix';
}

/** Reads the output of `nix --version`. Throws UserError `evaluation` when it is not a Nix. */
export function parseNixVersion(output: string): NixVersion {
  const match = VERSION.exec(output);
  if (!match) {
    throw new UserError('evaluation', `nix --version printed no version: ${output.trim().slice(0, 200)}`);
  }
  const [text, name = '', major, minor] = match;
  const line = output.split('\n').find((candidate) => candidate.includes(text)) ?? text;
  return { implementation: implementationOf(name), major: Number(major), minor: Number(minor), text: line.trim() };
}

const isAtLeast = (version: NixVersion, major: number, minor: number): boolean =>
  version.major > major || (version.major === major && version.minor >= minor);

/** Asks for the first JSON format by name where the version wants one named; older ones know no such flag. */
export const pathInfoFlags = (version: NixVersion): readonly string[] =>
  version.implementation !== 'lix' && isAtLeast(version, 2, 34) ? ['--json-format', '1'] : [];

/** The commands that print the settings, the likelier one first: `show-config` became `config show` in 2.20. */
export function settingsCommands(version: NixVersion): readonly (readonly string[])[] {
  const commands = [['config', 'show'], ['show-config']];
  return isAtLeast(version, 2, 20) ? commands : commands.reverse();
}

/**
 * The beginning of every evaluation. `eval-cache` is off: an answer from the cache says nothing about whether the derivations that it names were
 * written to the store, or are still there. Determinate Nix names the sources of flakes at random and copies them where a string with context ends
 * in a derivation (`lazy-trees`, on by default there); in a definition, which is text without context, that name would stand for a path that does
 * not exist, another one each time.
 */
export const evalCommand = ({ implementation }: NixVersion): readonly string[] => [
  ...['eval', '--json', '--option', 'eval-cache', 'false'],
  ...(implementation === 'determinate' ? ['--option', 'lazy-trees', 'false'] : []),
];

/**
 * What names all outputs of a flake at once. Newer versions take the path `.`; older ones look for every path in the
 * packages of the system first, so there they are told of a system that no flake has.
 */
export const wholeFlake = (version: NixVersion, flake: string): readonly string[] =>
  version.implementation !== 'lix' && isAtLeast(version, 2, 20)
    ? [`${flake}#.`]
    : ['--option', 'system', 'none', `${flake}#""`];

/**
 * Arguments that update the lock of the flake in a folder, of some of its inputs where they are named. `nix flake update` takes their names
 * since 2.19, whose `--update-input` did nothing for a while; before, it took the flake in their place. Lix has the newer form alone.
 */
export function updateLockCommand(version: NixVersion, folder: string, inputs: readonly string[]): readonly string[] {
  if (version.implementation === 'lix' || isAtLeast(version, 2, 19)) {
    return ['flake', 'update', '--flake', folder, ...inputs];
  }
  if (inputs.length === 0) return ['flake', 'update', folder];
  return ['flake', 'lock', folder, ...inputs.flatMap((name) => ['--update-input', name])];
}
