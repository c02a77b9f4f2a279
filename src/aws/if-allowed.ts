import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import type { WantedRepository } from './ecr-api.ts';
import { mayNotAsk } from './failure.ts';

/**
 * What AWS says of a repository that nothing is to be done about but to push; undefined where it may not be asked. Who may push
 * need not be allowed to look: the push itself says what is wrong then. Throws what `look` throws otherwise.
 */
export async function ifAllowed<T>(
  place: string,
  { mayCreate, settings }: WantedRepository,
  log: Log,
  look: () => Promise<T>,
): Promise<{ readonly found: T } | undefined> {
  try {
    return { found: await look() };
  } catch (error) {
    if (mayCreate || settings !== undefined || !(error instanceof UserError) || !mayNotAsk(error.cause)) throw error;
    log.debug(`${place} could not be looked up; going on`);
    return undefined;
  }
}
