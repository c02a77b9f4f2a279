import { z } from 'zod';
import { githubError, type RepositoryApi } from './repository-api.ts';

const WRITE = 'contents: write';

const whoSchema = z.object({ viewer: z.object({ login: z.string() }), repository: z.object({ id: z.string() }) });

/** The login that a token belongs to: `github-actions[bot]` for that of a job, `NAME[bot]` for a GitHub App's. */
interface Identity {
  readonly login: string;
  /** GraphQL's id of the repository. */
  readonly repositoryId: string;
}

/** Whose token it is. Throws UserError. */
export async function identityOf({ octokit, at, signal }: RepositoryApi): Promise<Identity> {
  const query = `query Identity($owner: String!, $repo: String!) {
    viewer { login }
    repository(owner: $owner, name: $repo) { id }
  }`;
  try {
    const { viewer, repository } = whoSchema.parse(await octokit.graphql(query, { ...at }));
    return { login: viewer.login, repositoryId: repository.id };
  } catch (error) {
    throw githubError(error, { what: 'GitHub does not say whose token it is', permission: 'contents: read', signal });
  }
}

const commitSchema = z.object({ createCommitOnBranch: z.object({ commit: z.object({ oid: z.string() }) }) });

interface NewCommit {
  readonly branch: string;
  /** The commit that the branch is at; anything else there is an error. */
  readonly parent: string;
  readonly headline: string;
  readonly body: string;
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/**
 * Adds a commit to a branch, and gives its id. GitHub signs it as the token's owner, which rules that require signatures take; commits
 * made by git and by the other interface of GitHub are not signed always. Throws UserError.
 */
export async function commitFiles(
  api: RepositoryApi,
  { branch, parent, headline, body, files }: NewCommit,
): Promise<string> {
  const query = `mutation CommitFiles($input: CreateCommitOnBranchInput!) {
    createCommitOnBranch(input: $input) { commit { oid } }
  }`;
  const additions = files.map(({ path, text }) => ({ path, contents: Buffer.from(text).toString('base64') }));
  const input = {
    branch: { repositoryNameWithOwner: api.repository, branchName: branch },
    expectedHeadOid: parent,
    message: { headline, body },
    fileChanges: { additions },
  };
  try {
    return commitSchema.parse(await api.octokit.graphql(query, { input })).createCommitOnBranch.commit.oid;
  } catch (error) {
    throw githubError(error, {
      what: `cannot commit to ${branch}`,
      permission: WRITE,
      isPush: true,
      signal: api.signal,
    });
  }
}

interface Move {
  readonly repositoryId: string;
  readonly branch: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Moves a branch to a commit that does not follow the one before, if nobody has moved it meanwhile: the two commits are compared where it
 * is moved, which `force` of the other interface does not do. Throws UserError.
 */
export async function moveBranch(
  { octokit, signal }: RepositoryApi,
  { repositoryId, branch, from, to }: Move,
): Promise<void> {
  const query = `mutation MoveBranch($input: UpdateRefsInput!) {
    updateRefs(input: $input) { clientMutationId }
  }`;
  const name = `refs/heads/${branch}`;
  const input = { repositoryId, refUpdates: [{ name, beforeOid: from, afterOid: to, force: true }] };
  try {
    await octokit.graphql(query, { input });
  } catch (error) {
    throw githubError(error, { what: `cannot move the branch ${branch}`, permission: WRITE, isPush: true, signal });
  }
}
