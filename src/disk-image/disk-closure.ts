import type { DiskDefinition } from '../definition/disk-definition.ts';
import { type ReadClosure, readClosure } from '../nix/closure.ts';
import type { Nix } from '../nix/nix.ts';
import { realise } from '../nix/realise.ts';

/**
 * The closure of what is on a disk. What Nix knows of, in its store or in a substituter, is only asked about; what is valid nowhere is built. Throws UserError as
 * Nix does.
 */
export async function readDiskClosure(
  nix: Nix,
  { storeRoots, roots }: Pick<DiskDefinition, 'storeRoots' | 'roots'>,
  gcRootDir: string,
): Promise<ReadClosure> {
  const known = await readClosure(nix, storeRoots);
  if (known.missing.length === 0) return known;
  const missing = new Set(known.missing);
  await realise(
    nix,
    roots.filter(({ outPath }) => missing.has(outPath)),
    { gcRootDir, valid: known.valid },
  );
  return readClosure(nix, storeRoots);
}
