import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { findHandovers, isWanted, spentHandovers } from '../github/find-handovers.ts';
import type { HandoverName } from '../github/handover-name.ts';
import type { Job } from '../github/job.ts';
import { type Handover, readHandover } from '../handover/handover.ts';
import type { Host } from '../host/host.ts';
import type { System } from '../oci/system.ts';
import type { Location } from '../storage/location.ts';
import { artifactsOf } from './github.ts';
import type { TrustInputs } from './handover-trust.ts';
import type { ImageOutcome } from './present-publish.ts';
import { type TakenHandover, whyStay } from './spent.ts';

/** Which handovers are asked for. */
export interface WantedHandovers {
  readonly image: string | undefined;
  /** The call of the run whose plan this is; undefined where there is no plan. */
  readonly call?: string | undefined;
  readonly system: readonly System[];
  /** Where the layers of an image may be: its destinations, and what the workflow names. */
  places(name: string): readonly Location[];
}

/** The handovers that are artifacts of this run. */
interface RunHandovers {
  /** The newest of each that is wanted, as `CollectHandovers` has it. */
  take(wanted: Omit<WantedHandovers, 'places'>, mayBeNone: boolean): Promise<Handover[]>;
  /** Deletes what was taken, as `HandoverCollector` has it. */
  removeSpent(outcomes: readonly ImageOutcome[]): Promise<void>;
}

/** Opens the handovers of this run; their list is read once. */
export function runHandovers({ handovers: trust, handoverDigest }: TrustInputs, job: Job, host: Host): RunHandovers {
  const artifacts = artifactsOf(host);
  const listTaken = async (): ReturnType<typeof artifacts.list> => {
    const all = await artifacts.list();
    if (trust !== 'digest') return all;
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
  const taken: TakenHandover[] = [];

  async function take(
    { image, call, system }: Omit<WantedHandovers, 'places'>,
    mayBeNone: boolean,
  ): Promise<Handover[]> {
    const all = await list();
    const systems = system.length > 0 ? { systems: system } : {};
    if (mayBeNone && !all.some(({ name }) => isWanted(name, { image, call }))) return [];
    const tempDir = await host.tempDir();
    const handovers: Handover[] = [];
    for (const { artifact, ...name } of findHandovers(all, job.attempt, { image, call, ...systems })) {
      const file = await artifacts.download(artifact, tempDir);
      for (const handover of await readHandover(file, tempDir)) {
        handovers.push(checkOrigin(handover, name, job));
        taken.push({ name, label: handover.label, call });
      }
    }
    return handovers;
  }

  async function removeSpent(outcomes: readonly ImageOutcome[]): Promise<void> {
    const why = whyStay(taken, outcomes);
    if (why !== undefined) return host.log.info(`handovers stay: ${why}`);
    const own = taken.filter(({ name, call }) => name.call === call || call === undefined);
    if (own.length < taken.length)
      host.log.info('handovers of jobs that were given no `call` stay: another call of this run may take them');
    const names = own.map(({ name }) => name);
    const spent = spentHandovers(await list(), names, job.attempt);
    if (spent.length === 0) return;
    try {
      await artifacts.delete(spent);
      host.log.info(`deleted ${countText(spent.length, 'handover')} of this run`);
    } catch (error) {
      if (!(error instanceof UserError) || host.signal.aborted) throw error;
      // All is published, and they expire.
      host.log.warn(`handovers stay until they expire: ${error.message}`);
    }
  }

  return { take, removeSpent };
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
