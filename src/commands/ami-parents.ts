import { TAGS } from '../ami/content.ts';
import type { AmiPlace, Survey } from '../ami/survey.ts';
import { snapshotsOf } from '../ami/tagged.ts';
import type { Cloud } from '../aws/cloud.ts';
import type { SnapshotRecord } from '../aws/ec2-api.ts';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { BLOCK_BYTES, type BlockList } from '../disk/block-list.ts';
import { readKept } from '../disk/kept-blocks.ts';
import { readBlocks, readDisk } from '../disk-image/read-disk.ts';
import { planBlocks } from '../ebs/block-plan.ts';
import type { ParentSnapshot } from '../ebs/snapshot-request.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { parseRegistryLocation } from '../storage/location.ts';
import type { AmiDisk } from './ami-disk.ts';
import type { Places } from './places.ts';

/** Snapshots that are tried: the list of the newest may be gone with its disk. */
const TRIES = 4;

interface ParentTools {
  readonly cloud: Cloud;
  readonly places: Places;
  readonly log: Log;
  /** A folder that outlives the run; undefined where there is none. */
  readonly folder: string | undefined;
}

/** What an upload may build on, by system and image, and the survey that tells of it. */
export interface FoundParents {
  readonly survey: Survey;
  of(disk: Pick<AmiDisk, 'image' | 'system'>): ParentSnapshot | undefined;
}

/** Of a way that sends disks whole. */
export const wholeDisks = (survey: Survey): FoundParents => ({ survey, of: () => undefined });

const keyOf = ({ image, system }: { readonly image: string; readonly system: string }): string => `${image} ${system}`;

/**
 * Looks for a snapshot of an earlier disk under each that is to be uploaded. AWS lists no digests of blocks, so a snapshot serves where its own list is
 * at hand: with the published disk that its tag names, if that is of a repository that is deployed from, or in `folder`. None is no failure: all is sent.
 */
export async function findParents(
  found: Survey,
  home: string,
  disks: readonly AmiDisk[],
  tools: ParentTools,
): Promise<FoundParents> {
  const parents = new Map<string, ParentSnapshot>();
  const places = await Promise.all(
    found.places.map(async (place): Promise<AmiPlace> => {
      const disk = disks.find((one) => keyOf(one) === keyOf(place.disk));
      if (disk === undefined || place.region !== home || place.found || place.snapshot) return place;
      const parent = await parentOf(place, disk, disks, tools);
      if (parent === undefined) return place;
      parents.set(keyOf(disk), parent);
      const { send } = planBlocks(disk.blocks, { parent: parent.blocks, isEncrypted: false });
      return { ...place, parent: { snapshotId: parent.snapshotId, bytesToSend: send.length * BLOCK_BYTES } };
    }),
  );
  return { survey: { ...found, places }, of: (disk) => parents.get(keyOf(disk)) };
}

async function parentOf(
  { disk: { image, system, identity }, region }: AmiPlace,
  disk: AmiDisk,
  disks: readonly AmiDisk[],
  { cloud, log, ...tools }: ParentTools,
): Promise<ParentSnapshot | undefined> {
  try {
    const snapshots = await snapshotsOf(cloud.ec2(region), [image]);
    const fitting = snapshots
      .filter(({ state, tags }) => state === 'completed' && tags.get(TAGS.system) === system)
      .filter(({ tags }) => isDigest(tags.get(TAGS.disk) ?? '') && tags.get(TAGS.disk) !== identity)
      .toSorted((a, b) => (b.started ?? 0) - (a.started ?? 0) || (a.id < b.id ? -1 : 1));
    for (const snapshot of fitting.slice(0, TRIES)) {
      const blocks = await blocksOf(snapshot, disks, { ...tools, log });
      // A volume is never smaller than its parent's.
      if (blocks !== undefined && blocks.size <= disk.blocks.size) return { snapshotId: snapshot.id, blocks };
    }
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    log.info(`all of ${image} for ${system} is sent: ${error.message}`);
  }
  return undefined;
}

async function blocksOf(
  { id, tags }: SnapshotRecord,
  disks: readonly AmiDisk[],
  { places, folder, log }: Omit<ParentTools, 'cloud'>,
): Promise<BlockList | undefined> {
  const identity = (tags.get(TAGS.disk) ?? '') as Digest;
  const kept = folder === undefined ? undefined : await readKept(folder, identity);
  const source = tags.get(TAGS.source);
  if (kept !== undefined || source === undefined) return kept;
  try {
    const place = parseRegistryLocation(source);
    const { digest } = place.reference;
    // Whoever may write tags must not lead this run elsewhere.
    const isOwn = disks.some((disk) => disk.source !== undefined && repositoryOf(disk.source) === repositoryOf(source));
    if (!isOwn || digest === undefined) return undefined;
    const { source: opened } = await places.openForReading(place);
    const manifest = await opened.getManifest(digest);
    if (manifest === undefined) return undefined;
    const published = await readDisk(opened, manifest);
    return published.config.identity === identity ? await readBlocks(opened, published) : undefined;
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    log.debug(`${id} does not serve as a parent: ${error.message}`);
    return undefined;
  }
}

function repositoryOf(place: string): string {
  const { host, repository } = parseRegistryLocation(place).reference;
  return `${host}/${repository}`;
}
