import { readFile } from 'node:fs/promises';
import { mapParallel } from '../core/parallel.ts';

/** Files that are read at once. */
const READS = 16;

/** A derivation among the inputs of another, as its file names it: with the outputs that are taken, in brackets of two kinds. */
const INPUT = /\("(\/nix\/store\/[^"]+\.drv)",[[(]/g;

/**
 * For each derivation those that it is built from, directly or through others, itself included. One whose file is not here counts as
 * built from nothing.
 */
export async function derivationInputs(drvPaths: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const direct = new Map<string, readonly string[]>();
  for (let open = [...new Set(drvPaths)]; open.length > 0; ) {
    const read = await mapParallel(open, READS, async (drvPath) => {
      const text = await readFile(drvPath, 'latin1').catch(() => '');
      return [...text.matchAll(INPUT)].map(([, input = '']) => input);
    });
    for (const [at, drvPath] of open.entries()) direct.set(drvPath, read[at] ?? []);
    open = [...new Set(read.flat())].filter((drvPath) => !direct.has(drvPath));
  }
  return new Map(drvPaths.map((drvPath) => [drvPath, allFrom(drvPath, direct)]));
}

function allFrom(start: string, direct: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set([start]);
  // What is added while a set is walked is walked too.
  for (const drvPath of found) for (const input of direct.get(drvPath) ?? []) found.add(input);
  return found;
}
