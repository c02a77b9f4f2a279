import { buildDisk, type DiskTools } from '../disk-image/build-disk.ts';
import { previousDisks } from '../disk-image/previous-disk.ts';
import type { Positions } from '../erofs/positions.ts';
import { type BuildTools, buildAndTest } from '../image/build-and-test.ts';
import type { BuiltImage } from '../image/image.ts';
import { type EvaluatedAny, isContainerImage } from '../nix/found-image.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import type { TestRun } from '../test-run/test-run.ts';
import type { ReuseSources } from './reuse.ts';

/** How store paths are placed on disks. */
export interface PlacingChoice {
  /** Those that were named. */
  readonly positions?: Positions | undefined;
  readonly fresh?: boolean;
}

interface BuildAnyOptions extends ReuseSources, PlacingChoice {
  readonly followers?: readonly Follower[];
}

/** One build job: of an image by `buildAndTest`, of a disk by `buildDisk`; both leave the same. Throws as they do. */
export function buildAny(
  evaluated: EvaluatedAny,
  destinations: readonly Repository[],
  options: BuildAnyOptions,
  tools: BuildTools & DiskTools,
): Promise<{ readonly image: BuiltImage; readonly testRun: TestRun }> {
  if (isContainerImage(evaluated)) return buildAndTest(evaluated, destinations, options, tools);
  const { previous, read, recompress, isReusing, positions, fresh = false, origin, journal, followers = [] } = options;
  const readPrevious: Parameters<typeof buildDisk>[2]['readPrevious'] = (system) =>
    previousDisks(previous, system, { read, log: tools.log });
  const reuse = isReusing && !recompress;
  const how = { readPrevious, positions, fresh, journal, reuse, origin, followers };
  return buildDisk(evaluated, destinations, how, tools);
}
