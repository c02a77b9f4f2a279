import { readFile } from 'node:fs/promises';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { readPayload } from '../github/event.ts';
import { pullRequests } from '../github/rest/pull-requests.ts';
import type { Host } from '../host/host.ts';
import { previewNumber } from '../prune/preview-tag.ts';
import type { WhyLeft } from '../publish/target.ts';

/** Milliseconds that an answer counts for: a clean-up takes longer to begin. The images of a plan would ask hundreds of times. */
const FRESH = 1000;

/**
 * In the run of a pull request, why tags of its previews are not to be moved: it is closed by now, so nobody would remove them. The event
 * cannot say that, so GitHub is asked each time; any token may where everybody can see the repository, elsewhere it takes `pull-requests: read`.
 * Who may not ask publishes, and leaves it to the job that comments. Undefined in other runs. Throws UserError `input` for a payload that is not one.
 */
export async function closedPull(token: string | undefined, host: Host): Promise<WhyLeft | undefined> {
  const { env, fetch, log, signal } = host;
  if (env('GITHUB_EVENT_NAME') !== 'pull_request' || token === undefined) return undefined;
  const { pull_request } = await readPayload({ env, readFile: (path) => readFile(path, 'utf8') });
  const number = pull_request?.number;
  if (number === undefined) return undefined;
  const url = env('GITHUB_API_URL') ?? 'https://api.github.com';
  const pulls = pullRequests({ url, token, repository: env('GITHUB_REPOSITORY') ?? '', fetch, log, signal });
  let mayAsk = true;
  const ask = async (): Promise<boolean> => {
    try {
      return (await pulls.read(number)).isOpen;
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      mayAsk = false;
      log.info(`whether pull request ${number} is still open is not known: ${error.message}`);
      return true;
    }
  };
  let asked = { time: Number.NEGATIVE_INFINITY, isOpen: Promise.resolve(true) };
  return async (tag) => {
    if (previewNumber(tag) !== number || !mayAsk) return undefined;
    if (systemClock.now() - asked.time > FRESH) asked = { time: systemClock.now(), isOpen: ask() };
    return (await asked.isOpen) ? undefined : `pull request ${number} is closed`;
  };
}
