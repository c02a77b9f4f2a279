import { sizeText } from '../core/size.ts';
import { versionsText } from './packages.ts';
import type { ChangeKind, PackageChange, PlatformDiff } from './platform-diff.ts';

/** A change as one line for all platforms that have it; where their versions are others, each has a line of its own. */
export interface ChangeRow {
  readonly kind: ChangeKind;
  readonly name: string;
  /** `3.0.15 → 3.0.16`; empty where no version is known. */
  readonly versions: string;
  /** A cell for each platform: by how much it grows; empty where it has no such change. */
  readonly cells: readonly string[];
}

/** `+1.2 MB`, `−3.4 kB`, `±0 B`, `?` where it is not known. */
function growthText(bytes: number | null): string {
  if (bytes === null) return '?';
  if (bytes === 0) return '±0 B';
  return `${bytes < 0 ? '−' : '+'}${sizeText(Math.abs(bytes))}`;
}

/** A size and by how much it grew: `61.2 MB (+1.2 MB)`. */
function sizeChangeText(before: number | null | undefined, after: number | null | undefined): string {
  if (after === null || after === undefined) return 'unknown';
  if (before === null || before === undefined) return sizeText(after);
  return before === after ? sizeText(after) : `${sizeText(after)} (${growthText(after - before)})`;
}

function versionsOf({ kind, old, new: now }: PackageChange): string {
  const [from, to] = [versionsText(old), versionsText(now)];
  if (kind === 'removed') return from;
  if (kind === 'added' || kind === 'rebuilt') return to;
  return `${from || 'no version'} → ${to || 'no version'}`;
}

/** The changes of all platforms, by name, those that are alike in one row. */
export function changeRows(platforms: readonly PlatformDiff[]): ChangeRow[] {
  const rows = new Map<
    string,
    { readonly kind: ChangeKind; readonly change: PackageChange; readonly cells: string[] }
  >();
  platforms.forEach(({ packages }, at) => {
    for (const change of packages ?? []) {
      const key = [change.name, change.kind, versionsOf(change)].join('\n');
      const row = rows.get(key) ?? { kind: change.kind, change, cells: platforms.map(() => '') };
      row.cells[at] = growthText(change.bytes);
      rows.set(key, row);
    }
  });
  return [...rows.values()]
    .map(({ kind, change, cells }) => ({ kind, name: change.name, versions: versionsOf(change), cells }))
    .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

/** The largest packages of the new images, with a cell for each platform. */
export function biggestRows(platforms: readonly PlatformDiff[]): { readonly name: string; readonly cells: string[] }[] {
  const rows = new Map<string, string[]>();
  platforms.forEach(({ biggest }, at) => {
    for (const { name, bytes } of biggest) {
      const cells = rows.get(name) ?? platforms.map(() => '');
      cells[at] = sizeText(bytes);
      rows.set(name, cells);
    }
  });
  return [...rows].map(([name, cells]) => ({ name, cells }));
}

/** Facts of each platform: a heading, and a cell for each. */
export function factRows(platforms: readonly PlatformDiff[]): { readonly name: string; readonly cells: string[] }[] {
  const row = (name: string, cell: (platform: PlatformDiff) => string) => ({ name, cells: platforms.map(cell) });
  return [
    row('image', ({ old, new: now }) => (now ? (old ? '' : 'new platform') : 'platform is gone')),
    row('size', ({ old, new: now }) => (now?.digest ? sizeChangeText(old?.size, now.size) : '')),
    row('closure', ({ old, new: now }) => (now ? sizeChangeText(old?.closure, now.closure) : '')),
    row('packages', ({ old, new: now }) => packagesText(old?.packages, now?.packages)),
    row('layers reused', ({ layers }) => (layers ? `${layers.shared} of ${layers.count}` : '')),
    row('to download', ({ layers }) => (layers ? sizeText(layers.bytes - layers.sharedBytes) : '')),
  ].filter(({ cells }) => cells.some((cell) => cell !== ''));
}

function packagesText(before: number | null | undefined, after: number | null | undefined): string {
  if (after === undefined) return '';
  if (after === null) return 'unknown';
  if (before === null || before === undefined || before === after) return String(after);
  return `${after} (${after < before ? '−' : '+'}${Math.abs(after - before)})`;
}

/** Headings of the kinds, in the order in which people read them. */
export const KIND_HEADINGS: readonly (readonly [ChangeKind, string])[] = [
  ['upgraded', 'upgraded'],
  ['downgraded', 'downgraded'],
  ['changed', 'other versions'],
  ['added', 'added'],
  ['removed', 'removed'],
  ['rebuilt', 'rebuilt, same version'],
];
