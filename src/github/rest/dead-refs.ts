import { z } from 'zod';
import type { GitHubApi } from './octokit.ts';
import { openOctokit } from './octokit.ts';
import { allPages } from './pages.ts';
import { restFailure } from './rest-failure.ts';

const pullsSchema = z.array(z.object({ number: z.int().positive() }));

const MERGE_REF = /^refs\/pull\/(\d+)\/merge$/;

/**
 * Those of `refs` that belong to pull requests which are closed: only re-runs of theirs could read the caches there. A list of
 * the open ones is the least to ask for, one request for a hundred, and needs no permission in a public repository. Where the
 * token may not read it, nothing counts as dead: such entries go by themselves after a week. Throws UserError `cancelled`.
 */
export async function deadRefs(
  api: GitHubApi & { readonly repository: string },
  refs: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const asked = new Map(
    [...refs].flatMap((ref) => (MERGE_REF.test(ref) ? [[ref, Number(MERGE_REF.exec(ref)?.[1])]] : [])),
  );
  if (asked.size === 0) return new Set();
  const [owner = '', repo = ''] = api.repository.split('/');
  try {
    const octokit = await openOctokit(api);
    const open = await allPages(async (page, per_page) => {
      const { data } = await octokit.request('GET /repos/{owner}/{repo}/pulls', {
        owner,
        repo,
        state: 'open',
        per_page,
        page,
      });
      return pullsSchema.parse(data);
    });
    const numbers = new Set(open.map(({ number }) => number));
    return new Set([...asked].filter(([, number]) => !numbers.has(number as number)).map(([ref]) => String(ref)));
  } catch (error) {
    const { why, isDenied } = restFailure(error, api.signal);
    const reason = isDenied ? 'the job needs `permissions: pull-requests: read`' : why;
    api.log.info(`cannot tell caches of closed pull requests from others: ${reason}`);
    return new Set();
  }
}
