import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import type { FreeSpace } from '../core/free-space.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import type { DiskThreads } from '../disk/disk-threads.ts';
import { hashDisk } from '../disk/hash-disk.ts';
import type { Positions } from '../erofs/positions.ts';
import type { BuiltImage } from '../image/image.ts';
import type { Journal } from '../image/journal.ts';
import type { EvaluatedDisk } from '../nix/found-image.ts';
import { withGcRoots } from '../nix/gc-roots.ts';
import type { Nix } from '../nix/nix.ts';
import type { Origin } from '../oci/origin.ts';
import type { System } from '../oci/system.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import { testError } from '../test-run/report.ts';
import { failedTests, NO_TEST_RUN, type TestRun } from '../test-run/test-run.ts';
import { ChunkReuse } from './chunk-reuse.ts';
import { diskKeyOf } from './disk-key-of.ts';
import { openDefinitionDisk } from './open-definition-disk.ts';
import { openToolDisk } from './open-tool-disk.ts';
import type { OpenedDisk } from './opened-disk.ts';
import { type PreviousDisk, previousPositions } from './previous-disk.ts';
import { writeDiskImage } from './write-disk-image.ts';

interface BuildDiskOptions {
  /** Disks that are published; see `previousDisks`. */
  readonly readPrevious: (system: System) => Promise<readonly PreviousDisk[]>;
  /** Positions that were named, which go before those of any published disk. */
  readonly positions?: Positions | undefined;
  /** Whether store paths are placed anew, wherever they lay. */
  readonly fresh: boolean;
  /** What an interrupted publish left; see `openJournal`. */
  readonly journal: Journal;
  /** Whether chunks of published disks, and those that were sent already, are reused. */
  readonly reuse: boolean;
  /** What the disk says of the run that makes it, unless it is published already and keeps its own. */
  readonly origin: Origin;
  /** Get the chunks as they are sent to the destinations. */
  readonly followers?: readonly Follower[];
}

/** A disk of a definition, which lies in a file that tests may enlarge a copy of, and must not change. */
export interface DiskToTest {
  readonly path: string;
  /** Bytes, holes included. */
  readonly size: number;
  readonly definition: DiskDefinition;
}

export interface DiskTools extends Pick<Effects, 'exec' | 'log' | 'signal' | 'tempDir'> {
  readonly nix: Nix;
  readonly free: FreeSpace;
  /** Opens the threads that hash blocks. */
  readonly openThreads: () => DiskThreads;
  /** Frames that are compressed at once. */
  readonly parallel: number;
  /** Boots a disk and runs the tests that its definition declares. */
  readonly testDisk: (disk: DiskToTest) => Promise<TestRun>;
}

interface TestedDisk {
  readonly image: BuiltImage;
  readonly testRun: TestRun;
}

/**
 * One build job of a disk: what it is made of is realised, the disk made, its tests run, and what is new of it written to every destination, where it
 * is by digest and under no tag. The file of the disk is gone afterwards. Throws UserError `test` where a test failed, before anything is written,
 * and what the steps throw.
 */
export async function buildDisk(
  evaluated: EvaluatedDisk,
  destinations: readonly Repository[],
  options: BuildDiskOptions,
  tools: DiskTools,
): Promise<TestedDisk> {
  const workDir = await mkdtemp(join(tools.tempDir, 'disk-'));
  try {
    const work = (gcRootDir: string) => build(evaluated, destinations, options, { ...tools, workDir, gcRootDir });
    return await withGcRoots(work, workDir);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function build(
  evaluated: EvaluatedDisk,
  destinations: readonly Repository[],
  { readPrevious, positions, fresh, journal, reuse, origin, followers = [] }: BuildDiskOptions,
  tools: DiskTools & { readonly workDir: string; readonly gcRootDir: string },
): Promise<TestedDisk> {
  const { name, system } = evaluated;
  const { log } = tools;
  // The registry answers while Nix works.
  const reading = readPrevious(system);
  reading.catch(() => undefined);
  const previous = async (): Promise<Positions | undefined> => {
    const found = positions ?? (await previousPositions(await reading, tools))?.positions;
    if (found === undefined) log.info(`${name}: no disk before it is known, so all store paths get new places`);
    return found;
  };
  const isStoredHere = destinations.some(({ isShared }) => !isShared);
  const opened =
    evaluated.kind === 'disk'
      ? await openDefinitionDisk(evaluated.disk, { ...tools, previous, fresh, isStoredHere }, tools)
      : await openToolDisk(evaluated.toolDisk, system, { ...tools, isStoredHere }, tools);
  try {
    const testRun = await testOf(evaluated, opened, tools);
    if (failedTests(testRun).length > 0) throw testError(name, testRun);
    const disks = await reading;
    const image = await log.group(`Storing the disk ${name} for ${system}`, async () => {
      const key = diskKeyOf(evaluated);
      const same = disks.find((disk) => disk.key === key);
      const { disk, pieces, ...facts } = opened;
      const blocks = await hashDisk(disk, tools);
      const known = new ChunkReuse(disks, journal);
      return writeDiskImage(
        {
          ...facts,
          disk,
          blocks,
          pieces: pieces(blocks),
          system,
          key,
          annotations: evaluated.kind === 'disk' ? evaluated.disk.annotations : {},
          // A disk of the same key stays the same, to the byte, also where its positions come from.
          positionsBefore: same ? same.config.positionsBefore : facts.positionsBefore,
          origin: same?.origin ?? origin,
        },
        destinations,
        {
          ...{ log, followers, signal: tools.signal, parallel: tools.parallel, label: `${name} for ${system}` },
          reuse: reuse ? known : known.withoutAny(),
        },
      );
    });
    return { image, testRun };
  } finally {
    await opened.disk.close();
  }
}

async function testOf(evaluated: EvaluatedDisk, { disk }: OpenedDisk, tools: DiskTools): Promise<TestRun> {
  if (evaluated.kind !== 'disk' || Object.keys(evaluated.disk.tests).length === 0) return NO_TEST_RUN;
  return tools.testDisk({ path: disk.path, size: disk.size, definition: evaluated.disk });
}
