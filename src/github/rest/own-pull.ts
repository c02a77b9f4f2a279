import { z } from 'zod';
import { UserError } from '../../core/error.ts';
import { githubAnswer, githubError, type RepositoryApi } from './repository-api.ts';

const WRITE = 'pull-requests: write';

const pullSchema = z.object({
  number: z.int().positive(),
  node_id: z.string(),
  html_url: z.string(),
});

/** A pull request that this program opened. */
interface OwnPull {
  readonly number: number;
  /** GraphQL's. */
  readonly id: string;
  readonly url: string;
}

interface PullText {
  readonly branch: string;
  readonly base: string;
  readonly title: string;
  readonly body: string;
}

function pullOf(data: unknown): OwnPull {
  const { number, node_id, html_url } = pullSchema.parse(data);
  return { number, id: node_id, url: html_url };
}

const NOT_PERMITTED = /not permitted to create or approve pull requests/;

/** Opens a pull request, or gives the one that is open the new text. Throws UserError; what is on the branch stays there. */
export async function openPull(api: RepositoryApi, compareUrl: string, text: PullText): Promise<OwnPull> {
  const { octokit, at, signal } = api;
  const { branch, base, title, body } = text;
  const what = `cannot open a pull request for ${branch}`;
  try {
    const found = await findPull(api, text);
    if (found) {
      const pull = { ...at, pull_number: found.number, title, body };
      return pullOf((await octokit.request('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', pull)).data);
    }
    return pullOf(
      (await octokit.request('POST /repos/{owner}/{repo}/pulls', { ...at, head: branch, base, title, body })).data,
    );
  } catch (error) {
    const { why } = githubAnswer(error, signal);
    if (!NOT_PERMITTED.test(why)) throw githubError(error, { what, permission: WRITE, signal });
    throw new UserError('credentials', `${what}: ${why}`, {
      hint:
        'Switch on "Allow GitHub Actions to create and approve pull requests" (Settings, Actions, General; an organisation may forbid it), or give the ' +
        `token of a GitHub App. The branch is there: ${compareUrl} opens the pull request by hand.`,
      docs: 'rebuild.md#whose-token',
      cause: error,
    });
  }
}

/** The pull request that is open for a branch; undefined where there is none. Throws UserError. */
export async function findPull(
  api: RepositoryApi,
  { branch, base }: Pick<PullText, 'branch' | 'base'>,
): Promise<OwnPull | undefined> {
  const { octokit, at, signal } = api;
  try {
    const wanted = { ...at, head: `${at.owner}:${branch}`, base, state: 'open', per_page: 1 } as const;
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/pulls', wanted);
    const [found] = z.array(pullSchema).parse(data);
    return found && pullOf(found);
  } catch (error) {
    throw githubError(error, { what: `cannot list the pull requests of ${branch}`, permission: WRITE, signal });
  }
}

/** Closes a pull request, after a comment that says why. Its branch stays. Throws UserError. */
export async function closeWithComment(api: RepositoryApi, { number }: OwnPull, why: string): Promise<void> {
  const { octokit, at, signal } = api;
  try {
    const comment = { ...at, issue_number: number, body: why };
    await octokit.request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', comment);
    const closed = { ...at, pull_number: number, state: 'closed' } as const;
    await octokit.request('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', closed);
  } catch (error) {
    throw githubError(error, { what: `cannot close pull request ${number}`, permission: WRITE, signal });
  }
}

/** Adds labels; GitHub creates those that it does not have. Throws UserError. */
export async function addLabels(api: RepositoryApi, { number }: OwnPull, labels: readonly string[]): Promise<void> {
  const { octokit, at, signal } = api;
  try {
    const wanted = { ...at, issue_number: number, labels: [...labels] };
    await octokit.request('POST /repos/{owner}/{repo}/issues/{issue_number}/labels', wanted);
  } catch (error) {
    throw githubError(error, { what: `cannot label pull request ${number}`, permission: WRITE, signal });
  }
}

export type MergeMethod = 'merge' | 'squash' | 'rebase';

/** What GitHub says where nothing is required that could turn green, so that merging later is merging now. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/is in clean status/, 'no check is required for its base, so GitHub has nothing to wait for'],
  [/is in unstable status/, 'a check that is not required has failed or is running, and none is required for its base'],
  [/[Aa]uto.?merge is not allowed/, 'the settings of the repository do not allow it'],
  [
    /[Mm]erge method .* not allowed|not allowed.* merge method/,
    'the settings of the repository do not allow this way of merging',
  ],
];

/** Has GitHub merge a pull request once its required checks are green; gives why it does not, undefined where it will. */
export async function mergeWhenGreen(
  api: RepositoryApi,
  { id }: OwnPull,
  method: MergeMethod,
): Promise<string | undefined> {
  const query = `mutation MergeWhenGreen($input: EnablePullRequestAutoMergeInput!) {
    enablePullRequestAutoMerge(input: $input) { clientMutationId }
  }`;
  try {
    await api.octokit.graphql(query, { input: { pullRequestId: id, mergeMethod: method.toUpperCase() } });
    return undefined;
  } catch (error) {
    const { why, isDenied } = githubAnswer(error, api.signal);
    if (isDenied) return 'the job needs `permissions: contents: write` and `pull-requests: write`';
    return REFUSALS.find(([said]) => said.test(why))?.[1] ?? why;
  }
}
