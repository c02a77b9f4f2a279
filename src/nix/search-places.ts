import { SYSTEMS, type System } from '../oci/system.ts';
import { IMAGE_OUTPUTS, type Installable, SEARCHED_OUTPUTS } from './installable.ts';
import type { ProbePlace } from './probe.ts';
import { NAMED_OUTPUTS } from './recognise.ts';

/** A place where an image may be, and what it means when it is there or not. */
export interface ImagePlace extends ProbePlace {
  readonly system: System;
  /** The system in a full path; a cross-compiled image is listed under the one that builds it. */
  readonly listedUnder?: System | undefined;
  /** Its position in the search: equal for all systems. */
  readonly rank: number;
  /** Whether the path, or the call of a function, makes it the image of that system; otherwise its own word counts. */
  readonly isOfSystem: boolean;
  /** Whether its output is worth a word where a flake does not have it. */
  readonly isExpected: boolean;
}

/** Outputs that flakes have; that the others are missing explains nothing. */
const EXPECTED = ['nixImages', 'packages'];

/** The part of a path whose name says what a derivation without marks is. */
const outputIn = (path: readonly string[]): string =>
  path.find((part) => (NAMED_OUTPUTS as readonly string[]).includes(part)) ?? path[0] ?? '';

/**
 * The places to try for an image of one system, in their order; `whole` where it is wanted and not only asked for. A full
 * path is taken as it is. A name that no output has may be a path of its own, whose image says what system it is of.
 */
export function searchPlaces(installable: Installable, system: System, whole: boolean): ImagePlace[] {
  const common = { system, whole, perSystem: false, isOfSystem: true, isExpected: false };
  const { path } = installable;
  if (installable.kind === 'file') {
    const place = { path, output: path[0] ?? '', perSystem: true, decides: false, isOfSystem: false, rank: 0 };
    return [{ ...common, ...place }];
  }
  const { output, system: fixed } = installable;
  if (output !== undefined) {
    const full = [output, fixed ?? system, ...path];
    return [
      { ...common, path: full, output: outputIn(full), decides: true, isExpected: true, rank: 0, listedUnder: fixed },
    ];
  }
  const named = SEARCHED_OUTPUTS.map((name, rank) => ({
    ...common,
    path: [name, system, ...path],
    output: name,
    decides: IMAGE_OUTPUTS.includes(name),
    isExpected: EXPECTED.includes(name),
    rank,
  }));
  const own = { path, output: outputIn(path), perSystem: true, decides: false, isOfSystem: false };
  return [...named, { ...common, ...own, rank: named.length }];
}

/** Every system for which an installable may have an image. */
export const possibleSystems = (installable: Installable): readonly System[] =>
  installable.kind === 'flake' && installable.system !== undefined ? [installable.system] : SYSTEMS;
