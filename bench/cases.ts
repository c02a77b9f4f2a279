import type { StateName } from './fixture/fixture.ts';

export const CASE_NAMES = ['cold', 'unchanged', 'unchanged-cached', 'leaf', 'middle'] as const;

export type CaseName = (typeof CASE_NAMES)[number];

/** A situation in which an image is published. */
export interface Case {
  readonly name: CaseName;
  readonly title: string;
  /** The version that is published. */
  readonly state: StateName;
  /** Whether the registry holds the version `base` as the same subject published it; it is empty otherwise. */
  readonly published: boolean;
  /** Whether the subject keeps its home folder, with its caches, from that time; it is empty otherwise. */
  readonly cachesKept: boolean;
}

export const CASES: readonly Case[] = [
  { name: 'cold', title: 'Cold: an empty registry', state: 'base', published: false, cachesKept: false },
  {
    name: 'unchanged',
    title: 'Nothing changed, on a fresh runner (its caches are empty)',
    state: 'base',
    published: true,
    cachesKept: false,
  },
  {
    name: 'unchanged-cached',
    title: "Nothing changed, the client's cache kept",
    state: 'base',
    published: true,
    cachesKept: true,
  },
  { name: 'leaf', title: 'One leaf changed, on a fresh runner', state: 'leaf', published: true, cachesKept: false },
  {
    name: 'middle',
    title: 'One library in the middle changed (libssl3, and all that needs it), on a fresh runner',
    state: 'middle',
    published: true,
    cachesKept: false,
  },
];
