import { UserError } from '../core/error.ts';
import type { Target } from '../publish/target.ts';
import { parseLocation } from '../storage/location.ts';
import type { ReadTag } from '../storage/read-tag.ts';
import { statusOf } from '../storage/registry/failure.ts';
import type { Places } from './places.ts';

/** HTTP's statuses of a login that is missing or wrong, and of one that does not suffice (RFC 9110, 15.5.2 and 15.5.4). */
const UNAUTHORIZED = 401;
const FORBIDDEN = 403;

/**
 * Asks each registry for a tag that is about to be moved, before anything is built for it: a login that is wrong is told now,
 * and not after an hour's work. So is a refusal without any login; with one, 403 is also what some registries say of a
 * repository that the publish will create. Other failures are left to the publish, which may do without the answer. The tag
 * is read in any case, so this costs no request. Throws UserError `credentials`.
 */
export async function checkLogin(
  targets: readonly Pick<Target, 'repository' | 'tags'>[],
  read: ReadTag,
  places: Pick<Places, 'hasCredentials'>,
): Promise<void> {
  await Promise.all(
    targets.map(async ({ repository, tags: [tag] }) => {
      if (tag === undefined) return;
      await read(repository, tag).catch(async (error: unknown) => {
        const status = statusOf(error);
        // Without a status nothing was asked: there is a login that could not be had, of a helper or by OIDC.
        const isLost = status === undefined && error instanceof UserError && error.code === 'credentials';
        if (status === UNAUTHORIZED || isLost) throw error;
        if (status === FORBIDDEN && !(await places.hasCredentials(parseLocation(repository.name)))) throw error;
      });
    }),
  );
}

/**
 * Refuses a login that may only read, before anything is built, where the registry's token says so: the check of the login has
 * asked for one that may write. Throws UserError `credentials`.
 */
export async function checkMayWrite(targets: readonly Pick<Target, 'repository'>[]): Promise<void> {
  for (const { repository } of targets) {
    if ((await repository.mayWrite?.()) !== false) continue;
    throw new UserError('credentials', `${repository.name}: the login may only read`, {
      hint: 'Log in with credentials that may write to this repository.',
      docs: 'registries.md#logins',
    });
  }
}
