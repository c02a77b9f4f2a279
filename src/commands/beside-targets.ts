import { UserError } from '../core/error.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { OptionalTargets } from '../publish/optional-targets.ts';
import type { PublishedTarget } from '../publish/target.ts';
import { copyManifestTree } from '../storage/copy.ts';
import { Follower } from '../storage/follower.ts';
import type { ImageSource } from '../storage/source.ts';
import type { Places } from './places.ts';
import type { ImageTarget } from './publish-targets.ts';

type PublishOptions = Parameters<OptionalTargets['publish']>[3];

/** The targets of one image that may fail, beside those that must not. */
interface BesideTargets {
  /** Take what is sent to the others. */
  readonly followers: readonly Follower[];
  /** Copies now what they do not have, for a source that cannot be read later; their failures are told by `publish`. */
  copyNow(index: StoredManifest, source: ImageSource, signal: AbortSignal): Promise<void>;
  /** Ends what the others have begun; rejects only when cancelled. */
  publish(index: StoredManifest, source: ImageSource, options: PublishOptions): Promise<readonly PublishedTarget[]>;
  /** Gives up. Never throws. */
  stop(): Promise<void>;
}

/** Opens the targets that may fail. */
export function besideTargets(
  targets: readonly ImageTarget[],
  { places, optional }: { readonly places: Places; readonly optional: OptionalTargets },
): BesideTargets {
  const all = targets.map((target) => {
    const prepared = places.prepare([target.location]).then(() => undefined);
    const follower = new Follower(target.repository, prepared);
    if (optional.isSilent(target)) follower.stop();
    return { target, follower };
  });
  const copied = new Map<ImageTarget, Promise<void>>();
  return {
    followers: all.map(({ follower }) => follower),
    copyNow: async (index, source, signal) => {
      for (const { target, follower } of all) {
        const copy = follower.settle().then(async () => {
          await copyManifestTree(index, source, [target.repository], { signal });
        });
        copied.set(target, copy);
      }
      const ends = await Promise.allSettled(copied.values());
      for (const end of ends)
        if (end.status === 'rejected' && !(end.reason instanceof UserError && end.reason.code !== 'cancelled'))
          throw end.reason;
    },
    publish: (index, source, options) => {
      const rest = Promise.all(
        all.map(({ target, follower }) => {
          const settle = (): Promise<void> => copied.get(target) ?? follower.settle();
          const show = (): Promise<void> => places.show([target.location], index);
          return optional.publish({ target, settle, show }, index, source, options);
        }),
      );
      // Whoever waits for it does so later.
      rest.catch(() => undefined);
      return rest;
    },
    stop: async () => {
      for (const { follower } of all) follower.stop();
      // Only files leave something behind.
      const files = all.filter(({ target }) => target.kind !== 'registry');
      await Promise.all(
        files.map(async ({ target, follower }) => {
          await follower.settle().catch(() => undefined);
          await target.repository.abandon();
        }),
      );
    },
  };
}
