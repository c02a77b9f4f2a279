import type { Target } from '../publish/target.ts';
import type { ReadTag } from '../storage/read-tag.ts';
import { statusOf } from '../storage/registry/failure.ts';

/** HTTP's status of a login that is missing or wrong (RFC 9110, 15.5.2). */
const UNAUTHORIZED = 401;

/**
 * Asks each registry for a tag that is about to be moved, before anything is built for it: a login that is wrong is told now,
 * and not after an hour's work. Other failures are left to the publish, which may do without the answer. The tag is read
 * in any case, so this costs no request. Throws UserError `credentials`.
 */
export async function checkLogin(
  targets: readonly Pick<Target, 'repository' | 'tags'>[],
  read: ReadTag,
): Promise<void> {
  await Promise.all(
    targets.map(async ({ repository, tags: [tag] }) => {
      if (tag === undefined) return;
      await read(repository, tag).catch((error: unknown) => {
        if (statusOf(error) === UNAUTHORIZED) throw error;
      });
    }),
  );
}
