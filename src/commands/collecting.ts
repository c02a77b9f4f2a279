import { resolve } from 'node:path';
import type { Job } from '../github/job.ts';
import { type Handover, readHandovers } from '../handover/handover.ts';
import type { Host } from '../host/host.ts';
import { handoverInput, type PlatformInput } from '../publish/platform-input.ts';
import { checkLayersPlace, checkTrust, type TrustInputs } from './handover-trust.ts';
import type { Places } from './places.ts';
import type { ImageOutcome } from './present-publish.ts';
import { runHandovers, type WantedHandovers } from './run-handovers.ts';

/**
 * What build jobs handed over of an image, where one is named, and of some systems, where they are. None at all is an
 * error unless `mayBeNone`. Throws UserError `handover`.
 */
export type CollectHandovers = (wanted: WantedHandovers, mayBeNone: boolean) => Promise<PlatformInput[]>;

interface HandoverCollector {
  readonly collect: CollectHandovers;
  /** Deletes the artifacts of the run that were taken, where all that was made of them is published. Throws UserError `cancelled`. */
  removeSpent(outcomes: readonly ImageOutcome[]): Promise<void>;
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
  const artifacts = from.length === 0 && job && taken !== 'none' ? runHandovers(inputs, job, host) : undefined;
  let read: Promise<Handover[]> | undefined;
  const folders = (): Promise<Handover[]> => (read ??= fromFolders(from, host));
  const opened: Handover[] = [];
  const collect: CollectHandovers = async (wanted, mayBeNone) => {
    const handovers = artifacts ? await artifacts.take(wanted, mayBeNone) : await folders();
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
  const removeSpent = async (outcomes: readonly ImageOutcome[]): Promise<void> => artifacts?.removeSpent(outcomes);
  return { collect, removeSpent, close };
}

async function fromFolders(from: readonly string[], host: Host): Promise<Handover[]> {
  const tempDir = await host.tempDir();
  return (await Promise.all(from.map((folder) => readHandovers(resolve(host.cwd, folder), tempDir)))).flat();
}
