import { storePathName } from '../definition/store-path.ts';

/** What people know a store path by. */
interface PackageName {
  readonly name: string;
  /** Empty where the name has none, as `source` or `etc-passwd`. */
  readonly version: string;
  /** `out` where the name says no other, as `openssl-3.0.15-dev` does. */
  readonly output: string;
}

/** Names that nixpkgs gives to outputs; a version may itself end in letters (`1.0-rc1`), so no other ending is taken for one. */
const OUTPUTS: ReadonlySet<string> = new Set([
  ...[
    'bin',
    'data',
    'debug',
    'dev',
    'devdoc',
    'devman',
    'dist',
    'dnsutils',
    'doc',
    'getent',
    'host',
    'include',
    'info',
  ],
  ...['lib', 'libgcc', 'locale', 'man', 'modules', 'static', 'terminfo'],
]);

/**
 * Name, version and output of a store path. The version begins behind the first hyphen that no letter follows, as
 * `builtins.parseDrvName` has it.
 */
export function packageOf(path: string): PackageName {
  const full = storePathName(path);
  const [, head = '', tail = ''] = /^(.+)-([a-z]+)$/.exec(full) ?? [];
  const [rest, output] = OUTPUTS.has(tail) ? [head, tail] : [full, 'out'];
  const at = rest.search(/-[^A-Za-z]/);
  if (at < 1) return { name: rest, version: '', output };
  return { name: rest.slice(0, at), version: rest.slice(at + 1), output };
}

/** Parts of a version: numbers, and what is between them; `pre` is a part of its own. */
const partsOf = (version: string): string[] => version.match(/\d+|[^\d.-]+/g) ?? [];

/** Which of two parts is older, by the rules of `builtins.compareVersions`: `pre` comes before nothing, words before numbers. */
function comparePart(a: string, b: string): number {
  if (a === b) return 0;
  const [numberA, numberB] = [a, b].map((part) => (/^\d+$/.test(part) ? BigInt(part) : undefined));
  if (numberA !== undefined && numberB !== undefined) return numberA < numberB ? -1 : Number(numberA > numberB);
  if (a === '' && numberB !== undefined) return -1;
  if (b === '' && numberA !== undefined) return 1;
  if (a === 'pre' || b === 'pre') return a === 'pre' ? -1 : 1;
  if (numberA !== undefined) return 1;
  if (numberB !== undefined) return -1;
  return a < b ? -1 : 1;
}

/** Negative where `a` is older than `b`, positive where it is newer, 0 where neither is: `builtins.compareVersions` of Nix. */
export function compareVersions(a: string, b: string): number {
  const [partsA, partsB] = [partsOf(a), partsOf(b)];
  for (let at = 0; at < Math.max(partsA.length, partsB.length); at++) {
    const order = comparePart(partsA[at] ?? '', partsB[at] ?? '');
    if (order !== 0) return order;
  }
  return 0;
}
