import { TAGS } from '../ami/content.ts';
import { REGIONS_AT_ONCE } from '../ami/survey.ts';
import { amisOf, snapshotsOf } from '../ami/tagged.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { type AmiItem, type AmiRegion, amiItems, type PlacedAmi } from './ami-releases.ts';
import { AmiRemoval, type AmiRemovalTools, protectedText, WRITING } from './ami-removal.ts';
import { amiStage } from './ami-stage.ts';
import { type AmiUsers, amiUsers } from './ami-users.ts';
import { GONE, keptBecause, type Notice, type PrunePlace, type Removal, staged } from './place.ts';
import type { Prunable } from './prunable.ts';

/** AMIs of one image for one system, in regions of one account. */
interface AmiPlaceTools extends AmiRemovalTools {
  readonly system: string;
  readonly regions: readonly string[];
  /** Of each parameter that points to one, so many that it pointed to before stay, for a rollback. */
  readonly keepHistory: number;
}

/** The earlier ones stand for all: an AMI that has still to be deprecated has not been disabled. */
const STEPS = ['deprecate', 'disable'] as const;

/**
 * AMIs of an image for a system in all regions at once: a release goes everywhere or nowhere, in steps, and not while anything of the account uses it in any
 * region. Only what has our tags and is our own is seen at all. A region that cannot be asked does not keep the others.
 */
export class AmiReleasesPlace implements PrunePlace {
  readonly name: string;
  readonly noun = 'AMI';
  readonly isSteady = true;
  readonly #tools: AmiPlaceTools;
  readonly #removal: AmiRemoval;
  readonly #failed = new Map<string, UserError>();
  #regions: readonly AmiRegion[] = [];
  #items = new Map<string, AmiItem>();

  constructor(tools: AmiPlaceTools) {
    this.name = `ami:${tools.image} for ${tools.system}`;
    this.#tools = tools;
    this.#removal = new AmiRemoval(tools);
  }

  async list(): Promise<readonly Prunable[]> {
    const { image, system, regions, cloud } = this.#tools;
    const isOurs = ({ tags }: { readonly tags: ReadonlyMap<string, string> }): boolean =>
      tags.get(TAGS.system) === system;
    const found = await this.#inRegions(regions, async (region) => {
      const ec2 = cloud.ec2(region);
      const [amis, snapshots] = await Promise.all([amisOf(ec2, [image]), snapshotsOf(ec2, [image])]);
      return { region, amis: amis.filter(isOurs), snapshots: snapshots.filter(isOurs) };
    });
    this.#regions = [...found.values()];
    this.#items = new Map(amiItems(this.#regions).map((item) => [item.prunable.id, item]));
    return [...this.#items.values()].map(({ prunable }) => prunable);
  }

  async notices(going: readonly Prunable[]): Promise<ReadonlyMap<string, Notice>> {
    const { cloud, keepHistory } = this.#tools;
    const items = going.flatMap(({ id }) => this.#items.get(id) ?? []);
    const withAmis = new Set(items.flatMap(({ amis }) => amis.map(({ region }) => region)));
    // All that the parameters may point to: what they meant before is known by what they mean now.
    const users = await this.#inRegions([...withAmis], (region) => {
      const ids = this.#regions.find((one) => one.region === region)?.amis.map(({ id }) => id) ?? [];
      return amiUsers(cloud, region, { ids, keepHistory });
    });
    const newest = new Set(this.#regions.flatMap((one) => newestSnapshot(one) ?? []));
    return new Map(
      items.flatMap((item): [string, Notice][] => {
        const notice = item.snapshot ? orphanNotice(item, newest) : this.#notice(item, users);
        return notice === undefined ? [] : [[item.prunable.id, notice]];
      }),
    );
  }

  // Only deregistering shows whether the credentials allow it.
  async checkMayRemove(): Promise<void> {}

  async removeItem({ id, names }: Prunable): Promise<Removal> {
    const item = this.#items.get(id);
    if (item === undefined) return GONE;
    if (item.snapshot) return await this.#removal.deleteOrphan(item.snapshot.region, item.snapshot.record.id);
    const byRegion = Map.groupBy(item.amis, ({ region }) => region);
    const done = await this.#inRegions([...byRegion.keys()], async (region) => {
      const removals: Removal[] = [];
      for (const ami of byRegion.get(region) ?? []) removals.push(await this.#removal.advance(ami, names.length > 0));
      return removals;
    });
    const failure = this.unread();
    if (done.size === 0 && failure !== undefined) return keptBecause(failure.message);
    const removal = together([...done.values()].flat());
    // Of a region that was not looked at nobody knows.
    const isWhole = failure === undefined || !['removed', 'gone'].includes(removal.kind);
    return isWhole ? removal : keptBecause(`gone elsewhere, but ${failure.message}`);
  }

  async removeNames(): Promise<Removal> {
    return keptBecause('its name goes with it');
  }

  finish(): Promise<void> {
    return this.#removal.finish();
  }

  unread(): UserError | undefined {
    const [first] = this.#failed;
    if (first === undefined) return undefined;
    const [, error] = first;
    return new UserError(error.code, `nothing was done in ${[...this.#failed.keys()].join(', ')}: ${error.message}`, {
      hint: 'Run again when AWS answers there; the other regions are done.',
      docs: 'ami-lifecycle.md#removal',
      cause: error,
    });
  }

  async close(): Promise<void> {}

  /** Does `work` in regions at once, without those that have failed. Throws what all of them have in common, and wrong credentials. */
  async #inRegions<T>(regions: readonly string[], work: (region: string) => Promise<T>): Promise<Map<string, T>> {
    const done = new Map<string, T>();
    const open = regions.filter((region) => !this.#failed.has(region));
    await mapParallel(open, REGIONS_AT_ONCE, async (region) => {
      try {
        done.set(region, await work(region));
      } catch (error) {
        if (!(error instanceof UserError) || ['cancelled', 'credentials'].includes(error.code)) throw error;
        this.#failed.set(region, error);
      }
    });
    const [first] = this.#failed.values();
    if (first !== undefined && done.size === 0 && open.length > 0) throw first;
    return done;
  }

  #notice({ amis, prunable: { names } }: AmiItem, users: ReadonlyMap<string, AmiUsers>): Notice | undefined {
    const { clock, grace, unprotects } = this.#tools;
    for (const { region, ami } of amis) {
      const user = users.get(region)?.get(ami.id);
      if (user !== undefined) return { stays: user };
    }
    if (names.length === 0) return leftoverNotice(amis);
    const stages = amis.map(({ ami }) => amiStage(ami, grace, clock.now()));
    const next = stages.filter(({ kind }) => kind !== 'wait');
    const [first] = stages;
    if (next.length === 0 && first?.kind === 'wait') return { stays: first.why };
    const step = STEPS.find((one) => next.some(({ kind }) => kind === one));
    const locked = amis.find(({ ami }) => ami.isProtected);
    if (step !== 'deprecate' && locked !== undefined && !unprotects)
      return { stays: protectedText(locked.region, locked.ami.id) };
    return step === undefined ? undefined : { step };
  }
}

/** What was never published goes at once, unless somebody has it already or it is under way. */
function leftoverNotice(amis: readonly PlacedAmi[]): Notice | undefined {
  for (const { region, ami } of amis) {
    if (ami.state === 'pending') return { stays: 'it is still copied' };
    if (ami.isPublic) return { stays: 'it is public' };
    if (ami.isProtected) return { stays: protectedText(region, ami.id) };
  }
  return undefined;
}

function orphanNotice({ snapshot, prunable: { whole } }: AmiItem, newest: ReadonlySet<string>): Notice | undefined {
  if (snapshot?.record.state === 'pending') return { stays: WRITING };
  const isParent = snapshot !== undefined && newest.has(snapshot.record.id) && whole?.isRest === undefined;
  return isParent ? { stays: 'it is the newest, of which the next upload sends the difference' } : undefined;
}

/** The newest whole snapshot of a region, by id. */
const newestSnapshot = ({ snapshots }: AmiRegion): string | undefined =>
  snapshots
    .filter(({ state }) => state === 'completed')
    .toSorted((a, b) => (b.started ?? 0) - (a.started ?? 0) || (a.id < b.id ? -1 : 1))[0]?.id;

/** What became of a release, by what became of its AMIs. */
function together(removals: readonly Removal[]): Removal {
  const kept = removals.find(({ kind }) => kind === 'kept');
  if (kept) return kept;
  const steps = removals.flatMap((one) => (one.kind === 'staged' ? [one.step] : []));
  if (steps.length > 0) return staged(STEPS.find((step) => steps.includes(step)) ?? 'wait');
  return removals.every(({ kind }) => kind === 'gone')
    ? GONE
    : (removals.find(({ kind }) => kind === 'removed') ?? GONE);
}
