import { z } from 'zod';
import { UserError } from '../../core/error.ts';
import { mapParallel } from '../../core/parallel.ts';
import { type GitHubApi, openOctokit } from './octokit.ts';
import { allPages } from './pages.ts';
import { restFailure } from './rest-failure.ts';

const pullSchema = z.object({ number: z.int().positive(), state: z.enum(['open', 'closed']) });

/** Pull requests asked for at once; what is not among the open ones is asked for one by one. */
const ASKED_AT_ONCE = 4;

interface PullsDeps extends GitHubApi {
  /** `OWNER/NAME`. */
  readonly repository: string;
}

/**
 * What became of pull requests, by number; `unknown` for numbers that no pull request has. Throws UserError `credentials` where the
 * token may not read them, `registry` for other refusals, and `cancelled`.
 */
export async function pullStates(
  deps: PullsDeps,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, 'open' | 'closed' | 'unknown'>> {
  if (numbers.length === 0) return new Map();
  const [owner = '', repo = ''] = deps.repository.split('/');
  const octokit = await openOctokit(deps);
  try {
    const open = await allPages(async (page, per_page) => {
      const path = 'GET /repos/{owner}/{repo}/pulls';
      const { data } = await octokit.request(path, { owner, repo, state: 'open', per_page, page });
      return z.array(pullSchema).parse(data);
    });
    const isOpen = new Set(open.map(({ number }) => number));
    const states = await mapParallel(numbers, ASKED_AT_ONCE, async (number) => {
      if (isOpen.has(number)) return [number, 'open'] as const;
      try {
        const path = 'GET /repos/{owner}/{repo}/pulls/{pull_number}';
        const { data } = await octokit.request(path, { owner, repo, pull_number: number });
        return [number, pullSchema.parse(data).state] as const;
      } catch (error) {
        if (restFailure(error, deps.signal).status === 404) return [number, 'unknown'] as const;
        throw error;
      }
    });
    return new Map(states);
  } catch (error) {
    const { why, status, isDenied } = restFailure(error, deps.signal);
    throw new UserError(
      isDenied || status === 404 ? 'credentials' : 'registry',
      `cannot ask GitHub for the pull requests of ${deps.repository}: ${why}`,
      {
        hint: isDenied
          ? 'The job needs `permissions: pull-requests: read`.'
          : 'Check the repository, and that the token may read it.',
        docs: isDenied ? 'retention.md#places' : undefined,
        cause: error,
      },
    );
  }
}
