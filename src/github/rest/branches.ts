import { z } from 'zod';
import { githubAnswer, githubError, type RepositoryApi } from './repository-api.ts';

const READ = 'contents: read';
const WRITE = 'contents: write';

const shaSchema = z.string().regex(/^[0-9a-f]{40,64}$/);
const refSchema = z.object({ object: z.object({ sha: shaSchema }) });

/** The commit that a branch is at; undefined where there is no such branch. Throws UserError. */
export async function branchTip({ octokit, at, signal }: RepositoryApi, branch: string): Promise<string | undefined> {
  try {
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/git/ref/{ref}', {
      ...at,
      ref: `heads/${branch}`,
    });
    return refSchema.parse(data).object.sha;
  } catch (error) {
    if (githubAnswer(error, signal).status === 404) return undefined;
    throw githubError(error, { what: `cannot read the branch ${branch}`, permission: READ, signal });
  }
}

/** Throws UserError, also where there is such a branch. */
export async function createBranch(api: RepositoryApi, branch: string, sha: string): Promise<void> {
  const { octokit, at, signal } = api;
  try {
    await octokit.request('POST /repos/{owner}/{repo}/git/refs', { ...at, ref: `refs/heads/${branch}`, sha });
  } catch (error) {
    throw githubError(error, { what: `cannot create the branch ${branch}`, permission: WRITE, isPush: true, signal });
  }
}

/** A branch that is not there is no error: GitHub may have deleted it and answered something else. */
export async function deleteBranch({ octokit, at, signal }: RepositoryApi, branch: string): Promise<void> {
  try {
    await octokit.request('DELETE /repos/{owner}/{repo}/git/refs/{ref}', { ...at, ref: `heads/${branch}` });
  } catch (error) {
    const { status } = githubAnswer(error, signal);
    // 422 is "Reference does not exist".
    if (status === 404 || status === 422) return;
    throw githubError(error, { what: `cannot delete the branch ${branch}`, permission: WRITE, signal });
  }
}

const personSchema = z.looseObject({ login: z.string().optional() }).nullable();
const compareSchema = z.object({
  behind_by: z.int().nonnegative(),
  total_commits: z.int().nonnegative(),
  commits: z.array(
    z.object({
      sha: shaSchema,
      commit: z.object({ message: z.string() }),
      author: personSchema,
      committer: personSchema,
    }),
  ),
});

interface CommitSummary {
  readonly sha: string;
  /** Login; null where GitHub knows nobody by the address. */
  readonly author: string | null;
  readonly committer: string | null;
  readonly message: string;
}

/** What a branch has that its base does not. */
interface BranchDistance {
  /** The first hundred of them. */
  readonly commits: readonly CommitSummary[];
  readonly total: number;
  /** Commits of the base that the branch does not have. */
  readonly behind: number;
}

/** Throws UserError. */
export async function compareBranches(api: RepositoryApi, base: string, head: string): Promise<BranchDistance> {
  const { octokit, at, signal } = api;
  try {
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/compare/{basehead}', {
      ...at,
      basehead: `${base}...${head}`,
      per_page: 100,
    });
    const { behind_by, total_commits, commits } = compareSchema.parse(data);
    return {
      behind: behind_by,
      total: total_commits,
      commits: commits.map(({ sha, commit, author, committer }) => ({
        ...{ sha, message: commit.message },
        ...{ author: author?.login ?? null, committer: committer?.login ?? null },
      })),
    };
  } catch (error) {
    throw githubError(error, { what: `cannot compare ${head} with ${base}`, permission: READ, signal });
  }
}

const fileSchema = z.object({ sha: shaSchema });

/** Git's id of a file's content at a commit; undefined where there is no such file. Throws UserError. */
export async function fileId(api: RepositoryApi, path: string, commit: string): Promise<string | undefined> {
  const { octokit, at, signal } = api;
  try {
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/contents/{path}', { ...at, path, ref: commit });
    return fileSchema.parse(data).sha;
  } catch (error) {
    if (githubAnswer(error, signal).status === 404) return undefined;
    throw githubError(error, { what: `cannot read ${path} at ${commit}`, permission: READ, signal });
  }
}
