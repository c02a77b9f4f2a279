import type { Sharing } from '../aws/ec2-api.ts';
import type { UndoTools } from './left.ts';
import type { ScopedEffect } from './scope.ts';
import { SETTLING } from './settle.ts';
import { isShared, NOBODY, sharesAnyOf, whoMayUse } from './sharing.ts';

/** Permissions that a run gave on one AMI or snapshot. */
interface Grant {
  readonly isImage: boolean;
  readonly id: string;
  readonly added: Sharing;
  /** When the journal last told of it. */
  readonly at: number;
}

/** What a run granted in one region on AMIs and snapshots that may stay. */
export class RegionGrants {
  readonly #region: string;
  readonly #tools: UndoTools;
  /** By what the journal says of them: each is told before it is given, and afterwards. */
  readonly #open: Map<string, Grant>;
  readonly #tried = new Set<string>();

  constructor(region: string, effects: readonly ScopedEffect[], tools: UndoTools) {
    this.#region = region;
    this.#tools = tools;
    const grants = effects.flatMap((effect): Grant[] =>
      effect.region === region && 'added' in effect && isShared(effect.added)
        ? [{ isImage: effect.made === 'image-sharing', id: effect.id, added: effect.added, at: effect.at }]
        : [],
    );
    this.#open = new Map(grants.map((grant) => [`permissions of ${grant.id}: ${whoMayUse(grant.added)}`, grant]));
  }

  /** Takes back what is left of them. `isGoing`: whether an AMI or a snapshot is removed, and its permissions with it. */
  async takeBack(isGoing: (id: string) => boolean): Promise<void> {
    for (const [what, grant] of this.#open) {
      if (isGoing(grant.id)) continue;
      const wasGone = !this.#tried.has(what) && (await this.#isGone(grant));
      await this.#tools.journal.write({ event: 'undo', region: this.#region, what });
      // An answer that is lost must not make the next sweep say that it was gone.
      this.#tried.add(what);
      await this.#remove(grant);
      if (wasGone) await this.#tools.journal.write({ event: 'gone', region: this.#region, what });
      this.#open.delete(what);
    }
  }

  /** For the report alone: what reads do not show is removed all the same, since they may be old or not allowed. */
  async #isGone({ isImage, id, added, at }: Grant): Promise<boolean> {
    if (this.#tools.clock.now() - at < SETTLING) return false;
    const ec2 = this.#tools.cloud.ec2(this.#region);
    const found = await (isImage ? ec2.imageSharing(id) : ec2.snapshotSharing(id)).catch(() => undefined);
    return found !== undefined && !sharesAnyOf(found, added);
  }

  async #remove({ isImage, id, added }: Grant): Promise<void> {
    const ec2 = this.#tools.cloud.ec2(this.#region);
    const change = { add: NOBODY, remove: added };
    await (isImage ? ec2.shareImage(id, change) : ec2.shareSnapshot(id, change));
  }
}
