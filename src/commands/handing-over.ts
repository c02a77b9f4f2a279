import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import { storageWarning } from '../github/artifact-storage.ts';
import { readPayload } from '../github/event.ts';
import { formatHandoverName, spareHandoverNames } from '../github/handover-name.ts';
import type { Job } from '../github/job.ts';
import { formatReportName } from '../github/report-name.ts';
import { writeHandover } from '../handover/handover.ts';
import type { HandoverLabel } from '../handover/label.ts';
import type { HandoverMode } from '../handover/mode.ts';
import type { Host } from '../host/host.ts';
import type { BuiltImage } from '../image/image.ts';
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

/** Days that GitHub keeps a report: the job that reads it is of the same run. */
const REPORT_DAYS = 1;

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
  const named = nameOf(label, job);
  const name = formatHandoverName(named);
  const file = join(await host.tempDir(), name);
  const repository = places.openForWriting({ kind: 'oci-archive', path: file });
  const deliver = async (): Promise<Delivered> => {
    if (mode === 'none' || mode === 'report') return NOT_DELIVERED;
    const options = { retentionDays: retentionDays ?? RETENTION_DAYS[mode], spareNames: spareHandoverNames(named) };
    const uploaded = await artifactsOf(host).upload(name, file, options);
    if (mode === 'artifact') await warnOfStorage(uploaded.size, label, options.retentionDays, host);
    return { place: uploaded.name, digest: uploaded.digest };
  };
  return { repository, deliver };
}

/** Here it is known what is stored and for how long; the plan knows neither. */
async function warnOfStorage(bytes: number, { systems }: HandoverLabel, days: number, host: Host): Promise<void> {
  const { repository } = await readPayload({ env: host.env, readFile: (path) => readFile(path, 'utf8') });
  const warning = storageWarning({ bytes, systems: systems.length, days, isPrivate: repository?.private });
  if (warning !== undefined) host.log.warn(warning);
}

const nameOf = ({ name: image, system, call }: HandoverLabel, { attempt }: Job) => ({
  ...{ image, system, attempt },
  call: call ?? undefined,
});

/**
 * Uploads what is in an image that is not handed over: manifest and config, from which `preview` tells what changed. No build fails for want
 * of it. Throws UserError `cancelled`.
 */
export async function reportImage(
  image: BuiltImage,
  label: HandoverLabel,
  { job, host, places }: { readonly job: Job; readonly host: Host; readonly places: Places },
): Promise<void> {
  const name = formatReportName(nameOf(label, job));
  const path = join(await host.tempDir(), name);
  const repository = places.openForWriting({ kind: 'oci-archive', path });
  try {
    await writeHandover(repository, image, label);
    await artifactsOf(host).upload(name, path, { retentionDays: REPORT_DAYS });
  } catch (error) {
    await repository.abandon();
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    host.log.warn(`cannot report what is in ${label.name} for ${label.system}: ${error.message}`);
  }
}
