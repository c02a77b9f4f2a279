import type { Effects } from '../core/effects.ts';
import { checkSpace, type FreeSpace } from '../core/free-space.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { openDisk } from '../disk/open-disk.ts';
import { encodePositions, type Positions } from '../erofs/positions.ts';
import { spaceNeeded } from '../make-disk/disk-space.ts';
import { makeDisk } from '../make-disk/make-disk.ts';
import { readClosure } from '../nix/closure.ts';
import type { Nix } from '../nix/nix.ts';
import { realiseHere } from '../nix/realise.ts';
import type { OpenedDisk } from './opened-disk.ts';

/** What chunks take of the bytes of a store: programs shrink to 40 %, and what is packed already does not. */
const PACKED_SHARE = 0.6;

interface MakeOptions {
  /** Positions of the disk before; asked for once the closure is there. */
  readonly previous: () => Promise<Positions | undefined>;
  /** Places all store paths anew. */
  readonly fresh: boolean;
  readonly gcRootDir: string;
  /** Whether its chunks stay on this machine, as in a handover that holds them. */
  readonly isStoredHere: boolean;
  readonly workDir: string;
}

interface MakeTools extends Pick<Effects, 'exec' | 'log' | 'signal'> {
  readonly nix: Nix;
  readonly free: FreeSpace;
}

/**
 * Has Nix make what a disk is made of, and makes the disk. Whether there is room for it is looked at before, as far as the closure is known then. Throws
 * UserError as Nix and `makeDisk` do.
 */
export async function openDefinitionDisk(
  definition: DiskDefinition,
  { previous, fresh, gcRootDir, isStoredHere, workDir }: MakeOptions,
  { nix, exec, log, signal, free }: MakeTools,
): Promise<OpenedDisk> {
  const { name, system, storeRoots, bootMode } = definition;
  const known = await readClosure(nix, storeRoots);
  const stored = known.closure.reduce((sum, { narSize }) => sum + narSize, 0);
  const beside = isStoredHere ? stored * PACKED_SHARE : 0;
  const bytes = spaceNeeded(definition, known.closure) + beside;
  await checkSpace({ what: `the disk ${name}`, bytes, path: workDir }, free);
  await log.group(`Realising ${name} for ${system}`, () => realiseHere(nix, definition.roots, { gcRootDir }));
  return log.group(`Making the disk ${name} for ${system}`, async () => {
    const { closure } = await readClosure(nix, storeRoots);
    const before = fresh ? undefined : await previous();
    const made = await makeDisk(definition, closure, { previous: before, fresh, workDir }, { exec, log, signal, free });
    return {
      disk: await openDisk(made.path, { exec, signal, extents: made.extents }),
      pieces: () => made.pieces,
      bootMode,
      partitions: made.partitions,
      positions: Buffer.from(encodePositions(made.positions)),
      positionsBefore: made.positionsBefore,
      storeOffset:
        made.partitions.find(({ name: label }) => label === definition.partitions.store.label)?.offset ?? null,
    };
  });
}
