import { resolve } from 'node:path';
import { findHandovers } from '../github/find-handovers.ts';
import { type HandoverName, newestHandovers } from '../github/handover-name.ts';
import type { Job } from '../github/job.ts';
import { type Handover, readHandover, readHandovers } from '../handover/handover.ts';
import type { Host } from '../host/host.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { handoverPart, type Part } from '../publish/part.ts';
import { artifactsOf } from './github.ts';

interface Wanted {
  readonly from: readonly string[];
  readonly image: string | undefined;
  readonly system: readonly System[];
}

/**
 * What build jobs handed over: in the folders that are named or, in a workflow, in the artifacts of this run, the
 * newest attempt of each. None at all is an error unless the rest `canBeBuilt`. Throws UserError `handover`.
 */
export async function collectHandovers(
  wanted: Wanted,
  canBeBuilt: boolean,
  job: Job | undefined,
  host: Host,
): Promise<Part[]> {
  const tempDir = await host.tempDir();
  const handovers =
    wanted.from.length === 0 && job
      ? await fromArtifacts(wanted, canBeBuilt, job, host, tempDir)
      : (await Promise.all(wanted.from.map((folder) => readHandovers(resolve(host.cwd, folder), tempDir)))).flat();
  return handovers
    .map(handoverPart)
    .filter((part) => wanted.system.length === 0 || wanted.system.includes(part.system));
}

async function fromArtifacts(
  { image, system }: Wanted,
  canBeBuilt: boolean,
  job: Job,
  host: Host,
  tempDir: string,
): Promise<Handover[]> {
  const artifacts = artifactsOf(host);
  const all = await artifacts.list();
  if (canBeBuilt && newestHandovers(all).length === 0) return [];
  const handovers: Handover[] = [];
  for (const { artifact, ...name } of findHandovers(all, {
    image,
    ...(system.length > 0 ? { systems: system } : {}),
  })) {
    const file = await artifacts.download(artifact, tempDir);
    for (const handover of await readHandover(file, tempDir)) handovers.push(checkOrigin(handover, name, job));
  }
  return handovers;
}

/** An artifact must be what its name says, and of this very run. */
function checkOrigin(handover: Handover, name: HandoverName, job: Job): Handover {
  const { label } = handover;
  const says = `${label.name} for ${label.system}, run ${label.run?.id ?? 'none'}, attempt ${label.run?.attempt ?? 'none'}`;
  const isRight = label.name === name.image && label.system === name.system && label.run?.attempt === name.attempt;
  if (isRight && label.run?.id === job.runId) return handover;
  throw new UserError(
    'handover',
    `${handover.origin} holds a handover of ${says}, which is not what this run handed over under that name`,
    {
      hint: 'Let only the build action make artifacts of such names, and run the build job again.',
    },
  );
}
