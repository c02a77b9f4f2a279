import type { StorePathSize } from './contents.ts';
import { compareVersions, packageOf } from './package-name.ts';

/** All store paths of one name. */
export interface Package {
  readonly name: string;
  /** Oldest first; a version that is there in two builds has two copies. */
  readonly versions: readonly Version[];
  /** Bytes of the NARs; null where one of them is not known. */
  readonly bytes: number | null;
  readonly paths: ReadonlySet<string>;
}

export interface Version {
  readonly version: string;
  readonly copies: number;
}

/** The sum; null where one of them is not known. */
export const sumOf = (sizes: readonly (number | null)[]): number | null =>
  sizes.reduce((sum, size) => (sum === null || size === null ? null : sum + size), 0);

/** Store paths grouped by the name that people know them by. */
export function packagesOf(paths: readonly StorePathSize[]): ReadonlyMap<string, Package> {
  const grouped = Map.groupBy(paths, ({ path }) => packageOf(path).name);
  return new Map([...grouped].map(([name, group]) => [name, packageOfPaths(name, group)]));
}

const packageOfPaths = (name: string, group: readonly StorePathSize[]): Package => ({
  name,
  versions: versionsOf(group.map(({ path }) => path)),
  bytes: sumOf(group.map(({ size }) => size)),
  paths: new Set(group.map(({ path }) => path)),
});

/** Several outputs of one build are one copy of it: there are as many as of the output that is there most often. */
function versionsOf(paths: readonly string[]): Version[] {
  const outputs = new Map<string, Map<string, number>>();
  for (const path of paths) {
    const { version, output } = packageOf(path);
    const counts = outputs.get(version) ?? new Map<string, number>();
    outputs.set(version, counts.set(output, (counts.get(output) ?? 0) + 1));
  }
  return [...outputs]
    .map(([version, counts]) => ({ version, copies: Math.max(...counts.values()) }))
    .sort((a, b) => compareVersions(a.version, b.version) || (a.version < b.version ? -1 : 1));
}

/** `3.0.15`, `5.1, 5.2 ×2`; empty where there is a single build without a version. */
export const versionsText = (versions: readonly Version[]): string =>
  versions
    .map(({ version, copies }) => [version, copies > 1 ? `×${copies}` : ''].filter((part) => part !== '').join(' '))
    .filter((text) => text !== '')
    .join(', ');
