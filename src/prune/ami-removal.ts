import { TAGS } from '../ami/content.ts';
import { whilePassing } from '../ami/settle.ts';
import type { Cloud } from '../aws/cloud.ts';
import type { AmiRecord, Ec2Api } from '../aws/ec2-api.ts';
import { isRefused, NO_IMAGE, NO_SNAPSHOT } from '../aws/refusal.ts';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { PlacedAmi } from './ami-releases.ts';
import { type AmiGrace, type AmiStage, amiStage } from './ami-stage.ts';
import { amiUsers } from './ami-users.ts';
import { GONE, keptBecause, REMOVED, type Removal, staged } from './place.ts';

/** How AMIs are removed. */
export interface AmiRemovalTools extends Pick<Effects, 'clock' | 'log' | 'signal'> {
  readonly cloud: Pick<Cloud, 'ec2' | 'ssm' | 'lifecycle'>;
  readonly image: string;
  readonly grace: AmiGrace;
  /** Whether protection from deregistration ends with what goes. */
  readonly unprotects: boolean;
}

/** Milliseconds from now on at which an AMI is deprecated at once: EC2 rounds to minutes and takes no time that is over. */
const SOON = 120_000;

/** Milliseconds for which the snapshot of an AMI that is gone may still be in use (boto/boto3 3019). */
const IN_USE = 600_000;

const SNAPSHOTS_AT_ONCE = 8;

/** Takes AMIs and snapshots away, each looked at again right before. */
export class AmiRemoval {
  readonly #tools: AmiRemovalTools;
  /** AMIs that are gone, though lists may show them for a while. */
  readonly #gone = new Set<string>();
  #snapshots: { readonly region: string; readonly id: string }[] = [];

  constructor(tools: AmiRemovalTools) {
    this.#tools = tools;
  }

  /** Brings an AMI one step further. `isPublished`: whether it goes in steps. Throws as EC2 does. */
  async advance({ region, ami: { id } }: PlacedAmi, isPublished: boolean): Promise<Removal> {
    const { cloud, clock, grace } = this.#tools;
    const ec2 = cloud.ec2(region);
    const [now] = await ec2.images({ ids: [id] });
    if (now === undefined || now.state === 'deregistered' || this.#gone.has(id)) return GONE;
    if (now.tags.get(TAGS.image) !== this.#tools.image) return keptBecause(`${id} in ${region} has other tags by now`);
    if (!isPublished && now.tags.has(TAGS.run)) return keptBecause(`${id} in ${region} was published meanwhile`);
    const stage: AmiStage = isPublished ? amiStage(now, grace, clock.now()) : { kind: 'deregister' };
    if (stage.kind === 'wait') return staged('wait');
    if (stage.kind === 'deprecate') {
      await ec2.deprecateImage(id, clock.now() + SOON);
      return staged('deprecate');
    }
    const user = (await amiUsers(cloud, region, { ids: [id], keepHistory: 0 })).get(id);
    if (user !== undefined) return keptBecause(user);
    if (now.isProtected && !this.#tools.unprotects) return keptBecause(protectedText(region, id));
    try {
      if (now.isProtected) await ec2.unprotectImage(id);
      if (stage.kind === 'deregister') return await this.#deregister(ec2, region, now);
    } catch (error) {
      if (!isRefused(error, 'OperationNotPermitted')) throw error;
      return keptBecause(`${id} in ${region} is protected from deregistration: ${error.message}`);
    }
    await ec2.tag(id, { [TAGS.disabled]: new Date(clock.now()).toISOString() });
    if (now.state !== 'disabled') await cloud.lifecycle(region).disable(id);
    return staged('disable');
  }

  async #deregister(ec2: Ec2Api, region: string, { id, snapshots }: AmiRecord): Promise<Removal> {
    const own = snapshots.length === 0 ? [] : await this.#ownSnapshots(ec2, id, snapshots);
    // A run that is killed in between leaves snapshots that the next one knows.
    const removed = new Date(this.#tools.clock.now()).toISOString();
    for (const snapshot of own) await ec2.tag(snapshot, { [TAGS.removed]: removed });
    try {
      await ec2.deregisterImage(id);
    } catch (error) {
      if (!isRefused(error, ...NO_IMAGE)) throw error;
    }
    this.#gone.add(id);
    this.#snapshots.push(...own.map((snapshot) => ({ region, id: snapshot })));
    this.#tools.log.info(`${region}: deregistered ${id}`);
    return REMOVED;
  }

  /** Those with our tags that no other AMI is made of. */
  async #ownSnapshots(ec2: Ec2Api, id: string, snapshots: readonly string[]): Promise<string[]> {
    const [found, users] = await Promise.all([ec2.snapshots({ ids: snapshots }), ec2.images({ snapshots })]);
    const others = users.filter((one) => one.id !== id && one.state !== 'deregistered' && !this.#gone.has(one.id));
    const kept = new Set(others.flatMap((one) => one.snapshots));
    return found
      .filter((one) => one.tags.get(TAGS.image) === this.#tools.image && !kept.has(one.id))
      .map((one) => one.id);
  }

  /** Deletes a snapshot that no AMI is made of. Throws as EC2 does. */
  async deleteOrphan(region: string, id: string): Promise<Removal> {
    const ec2 = this.#tools.cloud.ec2(region);
    const [[now], users] = await Promise.all([ec2.snapshots({ ids: [id] }), ec2.images({ snapshots: [id] })]);
    if (now === undefined) return GONE;
    if (now.state === 'pending') return keptBecause(WRITING);
    if (now.tags.get(TAGS.image) !== this.#tools.image) return keptBecause('it has other tags by now');
    if (users.some((ami) => ami.state !== 'deregistered' && !this.#gone.has(ami.id)))
      return keptBecause('an AMI is made of it by now');
    try {
      await ec2.deleteSnapshot(id);
      return REMOVED;
    } catch (error) {
      if (isRefused(error, ...NO_SNAPSHOT)) return GONE;
      if (isRefused(error, 'InvalidSnapshot.InUse')) return keptBecause('it is in use');
      throw error;
    }
  }

  /** Deletes the snapshots of what was deregistered, when they are not in use any more. Throws UserError `aws` for those that stay so. */
  async finish(): Promise<void> {
    const { cloud, clock, signal } = this.#tools;
    const doomed = this.#snapshots;
    this.#snapshots = [];
    const left = await mapParallel(doomed, SNAPSHOTS_AT_ONCE, async ({ region, id }) => {
      try {
        const work = () => cloud.ec2(region).deleteSnapshot(id);
        await whilePassing(work, (error) => isRefused(error, 'InvalidSnapshot.InUse'), IN_USE, { clock, signal });
        return [];
      } catch (error) {
        if (isRefused(error, ...NO_SNAPSHOT)) return [];
        if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
        return [error];
      }
    });
    const [first] = left.flat();
    if (first === undefined) return;
    throw new UserError(
      first.code,
      `${left.flat().length} of ${doomed.length} snapshots are still there: ${first.message}`,
      {
        hint: 'Run again: they are marked, and go then.',
        cause: first,
      },
    );
  }
}

export const WRITING = 'it is still written';

export const protectedText = (region: string, id: string): string =>
  `${id} in ${region} is protected from deregistration: --unprotect ends that`;
