import { join, resolve } from 'node:path';
import { formatHandoverName, spareHandoverNames } from '../github/handover-name.ts';
import type { Job } from '../github/job.ts';
import type { HandoverLabel } from '../handover/label.ts';
import type { HandoverMode } from '../handover/mode.ts';
import type { Host } from '../host/host.ts';
import type { Repository } from '../storage/destination.ts';
import { artifactsOf } from './github.ts';
import type { Places } from './places.ts';

/** Where a handover is, in words, and its digest where it is one file; both empty where there is none. */
export interface Delivered {
  readonly place: string;
  readonly digest: string;
}

/** A handover that is being made. */
export interface HandingOver {
  /** The layout or archive that it is. */
  readonly repository: Repository;
  /** Brings it to where the fan-in finds it, once it is written. */
  deliver(): Promise<Delivered>;
}

/**
 * Days that GitHub keeps a handover: a day is enough for a re-run of failed jobs; a week where it is a few kilobytes,
 * so that an old run can be published again.
 */
const RETENTION_DAYS = { artifact: 1, registry: 7 } as const;

export const NOT_DELIVERED: Delivered = { place: '', digest: '' };

/** A folder on a person's machine. */
export function handOverInFolder(folder: string, host: Host, places: Places): HandingOver {
  const repository = places.openForWriting({ kind: 'oci', path: resolve(host.cwd, folder) });
  return { repository, deliver: async () => ({ place: folder, digest: '' }) };
}

/** An artifact of the workflow run: one archive, in which the layers are compressed already. */
export async function handOverByArtifact(
  label: HandoverLabel,
  { mode, retentionDays }: { readonly mode: HandoverMode; readonly retentionDays: number | undefined },
  { job, host, places }: { readonly job: Job; readonly host: Host; readonly places: Places },
): Promise<HandingOver> {
  const named = {
    image: label.name,
    system: label.system,
    call: label.call ?? undefined,
    attempt: job.attempt,
  };
  const name = formatHandoverName(named);
  const file = join(await host.tempDir(), name);
  const repository = places.openForWriting({ kind: 'oci-archive', path: file });
  const deliver = async (): Promise<Delivered> => {
    if (mode === 'none') return NOT_DELIVERED;
    const options = { retentionDays: retentionDays ?? RETENTION_DAYS[mode], spareNames: spareHandoverNames(named) };
    const uploaded = await artifactsOf(host).upload(name, file, options);
    return { place: uploaded.name, digest: uploaded.digest };
  };
  return { repository, deliver };
}
