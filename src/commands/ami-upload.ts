import { TAGS } from '../ami/content.ts';
import type { DeployTools, UploadRequest } from '../ami/deployment.ts';
import { SETTLING, whilePassing } from '../ami/settle.ts';
import { isRefused, NO_SNAPSHOT } from '../aws/refusal.ts';
import { serviceEndpoint } from '../aws/service-endpoint.ts';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import { keepBlocks } from '../disk/kept-blocks.ts';
import type { SnapshotState } from '../ebs/await-completed.ts';
import type { EbsSettings } from '../ebs/ebs-settings.ts';
import { type UploadedSnapshot, uploadSnapshot } from '../ebs/upload-snapshot.ts';
import type { Host } from '../host/host.ts';
import type { AmiWorld } from './ami-cloud.ts';
import type { AmiDisk } from './ami-disk.ts';
import type { FoundParents } from './ami-parents.ts';

/** What uploads of a run have in common. */
interface AmiUploads extends AmiWorld {
  readonly host: Host;
  readonly clock: Clock;
  readonly disks: readonly AmiDisk[];
  readonly parents: Pick<FoundParents, 'of'>;
  /** A folder that outlives the run; undefined where there is none. */
  readonly folder: string | undefined;
  /** Told of each upload. */
  readonly onUploaded: (request: UploadRequest, uploaded: UploadedSnapshot) => void;
}

/** Tags that are the same in every run, and so part of the request: what it asks stands behind its client token. */
const FIXED: readonly string[] = [TAGS.content, TAGS.disk, TAGS.image, TAGS.system, TAGS.token];

const isFixed = (tag: string): boolean => FIXED.includes(tag);

/** Characters of a tag's value (EC2 user guide, "Tag restrictions"). */
const LONGEST_VALUE = 256;

/** Uploads by the EBS direct APIs, each over the snapshot of an earlier disk where one is known. */
export const amiUpload =
  (uploads: AmiUploads): DeployTools['upload'] =>
  async (request) => {
    const { disk: wanted, region, signal, kmsKey, clientToken, tags } = request;
    const { disks, host, folder, parents } = uploads;
    const disk = disks.find(({ image, system }) => image === wanted.image && system === wanted.system);
    if (disk === undefined) throw new RangeError(`no disk of ${wanted.image} for ${wanted.system}`);
    const path = await disk.file();
    const settings = await settingsFor(uploads, region, signal);
    host.log.info(`uploading ${wanted.image} for ${wanted.system} to ${region}`);
    const uploaded = await uploadSnapshot(
      settings,
      { path, size: disk.blocks.size, blocks: disk.blocks },
      {
        clientToken,
        description: `${wanted.image} for ${wanted.system}`,
        tags: Object.fromEntries(Object.entries(tags).filter(([name]) => isFixed(name))),
        kmsKeyArn: kmsKey,
        parent: parents.of(wanted),
      },
    );
    uploads.onUploaded(request, uploaded);
    if (folder !== undefined) await keepBlocks(folder, disk.blocks);
    await tagUploaded(uploads, request, { id: uploaded.snapshotId, source: disk.source });
    return uploaded;
  };

async function settingsFor(
  { world, cloud, host, clock, folder }: AmiUploads,
  region: string,
  signal: AbortSignal,
): Promise<EbsSettings> {
  const { fetch, log, program } = host;
  const { openKeys } = await import('../aws/aws-keys.ts');
  const stateOf = async (id: string): Promise<SnapshotState> => {
    const [snapshot] = await cloud.ec2(region).snapshots({ ids: [id] });
    return STATES.find((state) => state === snapshot?.state);
  };
  const remove = async (id: string): Promise<void> => {
    try {
      await cloud.ec2(region).deleteSnapshot(id);
    } catch (error) {
      if (!isRefused(error, ...NO_SNAPSHOT)) throw error;
    }
  };
  return {
    ...{ region, fetch, log, clock, signal, program, recordFolder: folder },
    endpoint: serviceEndpoint(world, 'EBS'),
    credentials: openKeys(world, region),
    snapshotState: stateOf,
    deleteSnapshot: remove,
  };
}

const STATES = ['pending', 'completed', 'error'] as const;

/** Adds the tags that may differ from run to run. Without them the next upload cannot build on this one, and that is all. */
async function tagUploaded(
  { cloud, clock, host }: AmiUploads,
  { region, tags, signal }: UploadRequest,
  { id, source }: { readonly id: string; readonly source: string | undefined },
): Promise<void> {
  const named = source !== undefined && source.length <= LONGEST_VALUE ? { [TAGS.source]: source } : {};
  const more = Object.fromEntries(Object.entries(tags).filter(([name]) => !isFixed(name)));
  try {
    await whilePassing(
      () => cloud.ec2(region).tag(id, { ...more, ...named }),
      (error) => isRefused(error, ...NO_SNAPSHOT),
      SETTLING,
      { clock, signal },
    );
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    host.log.warn(`${id} has not all of its tags, so the next disk is sent whole: ${error.message}`);
  }
}
