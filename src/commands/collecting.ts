import { resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import { findHandovers, isWanted } from '../github/find-handovers.ts';
import type { HandoverName } from '../github/handover-name.ts';
import type { Job } from '../github/job.ts';
import { type Handover, readHandover, readHandovers } from '../handover/handover.ts';
import type { Host } from '../host/host.ts';
import type { System } from '../oci/system.ts';
import { handoverInput, type PlatformInput } from '../publish/platform-input.ts';
import type { Location } from '../storage/location.ts';
import { artifactsOf } from './github.ts';
import { checkLayersPlace, checkTrust, type TrustInputs } from './handover-trust.ts';
import type { Places } from './places.ts';

interface Wanted {
  readonly image: string | undefined;
  /** The call of the run whose plan this is; undefined where there is no plan. */
  readonly call?: string | undefined;
  readonly system: readonly System[];
  /** Where the layers of an image may be: its destinations, and what the workflow names. */
  places(name: string): readonly Location[];
}

/**
 * What build jobs handed over of an image, where one is named, and of some systems, where they are. None at all is an
 * error unless `mayBeNone`. Throws UserError `handover`.
 */
export type CollectHandovers = (wanted: Wanted, mayBeNone: boolean) => Promise<PlatformInput[]>;

interface HandoverCollector {
  readonly collect: CollectHandovers;
  /** Closes the archives of what was collected. Never throws. */
  close(): Promise<void>;
}

/**
 * Collects from the folders that are named or, in a workflow, from the artifacts of this run, the newest attempt of each.
 * Folders and the list of artifacts are read once.
 */
export function handoverCollector(
  inputs: TrustInputs & { readonly from: readonly string[] },
  job: Job | undefined,
  host: Host,
  places: Places,
): HandoverCollector {
  const { from, handovers: taken } = inputs;
  checkTrust(inputs, from);
  const artifacts = from.length === 0 && job && taken !== 'none' ? openArtifacts(inputs, job, host) : undefined;
  let read: Promise<Handover[]> | undefined;
  const folders = (): Promise<Handover[]> => (read ??= fromFolders(from, host));
  const opened: Handover[] = [];
  const collect: CollectHandovers = async (wanted, mayBeNone) => {
    const handovers = artifacts ? await artifacts(wanted, mayBeNone) : await folders();
    opened.push(...handovers);
    const parts = handovers
      .map(handoverInput)
      .filter(
        ({ name, system }) =>
          (wanted.image === undefined || wanted.image === name) &&
          (wanted.system.length === 0 || wanted.system.includes(system)),
      );
    for (const part of parts) await checkLayersPlace(part, wanted.places(part.name), taken, places);
    return parts;
  };
  const close = async (): Promise<void> => {
    await Promise.allSettled([...new Set(opened.map(({ layout }) => layout))].map((layout) => layout.close()));
  };
  return { collect, close };
}

async function fromFolders(from: readonly string[], host: Host): Promise<Handover[]> {
  const tempDir = await host.tempDir();
  return (await Promise.all(from.map((folder) => readHandovers(resolve(host.cwd, folder), tempDir)))).flat();
}

function openArtifacts({ handovers: taken, handoverDigest }: TrustInputs, job: Job, host: Host) {
  const artifacts = artifactsOf(host);
  const listTaken = async (): ReturnType<typeof artifacts.list> => {
    const all = await artifacts.list();
    if (taken !== 'digest') return all;
    const isNamed = ({ digest }: (typeof all)[number]): boolean =>
      digest !== undefined && handoverDigest.includes(digest);
    for (const artifact of all) {
      if (!isNamed(artifact) && isWanted(artifact.name, {}))
        host.log.warn(`the artifact ${artifact.name} is left out: handover-digest does not name ${artifact.digest}`);
    }
    return all.filter(isNamed);
  };
  let listed: ReturnType<typeof artifacts.list> | undefined;
  const list = (): ReturnType<typeof artifacts.list> => (listed ??= listTaken());
  return async ({ image, call, system }: Wanted, mayBeNone: boolean): Promise<Handover[]> => {
    const all = await list();
    const systems = system.length > 0 ? { systems: system } : {};
    if (mayBeNone && !all.some(({ name }) => isWanted(name, { image, call }))) return [];
    const tempDir = await host.tempDir();
    const handovers: Handover[] = [];
    for (const { artifact, ...name } of findHandovers(all, job.attempt, { image, call, ...systems })) {
      const file = await artifacts.download(artifact, tempDir);
      for (const handover of await readHandover(file, tempDir)) handovers.push(checkOrigin(handover, name, job));
    }
    return handovers;
  };
}

/** An artifact must be what its name says, and of this very run. */
function checkOrigin(handover: Handover, name: HandoverName, job: Job): Handover {
  const { label } = handover;
  const says = `${label.name} for ${label.system}, run ${label.run?.id ?? 'none'}, attempt ${label.run?.attempt ?? 'none'}`;
  const isRight =
    label.name === name.image &&
    label.system === name.system &&
    label.run?.attempt === name.attempt &&
    label.call === (name.call ?? null);
  if (isRight && label.run?.id === job.runId) return handover;
  throw new UserError(
    'handover',
    `${handover.origin} holds a handover of ${says}, which is not what this run handed over under that name`,
    {
      hint: 'Let only the build action make artifacts of such names, and run the build job again.',
    },
  );
}
