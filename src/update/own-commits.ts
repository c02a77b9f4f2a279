/** A commit on the branch of an update, as GitHub attributes it. */
interface BranchCommit {
  readonly sha: string;
  /** Login; null where GitHub knows nobody by the address. */
  readonly author: string | null;
  readonly committer: string | null;
  readonly message: string;
}

/** Line at the end of each commit of an update. */
export const OWN_TRAILER = 'Made-by: nix-images update';

/** Who commits what is written through GitHub's interface. */
const GITHUB_ITSELF = 'web-flow';

/**
 * The commits that are not an update's own. All three must fit: somebody else may amend a commit (committer), cherry-pick one (author),
 * or use the same token (message).
 */
export const foreignCommits = (commits: readonly BranchCommit[], login: string): BranchCommit[] =>
  commits.filter(
    ({ author, committer, message }) =>
      author !== login ||
      (committer !== login && committer !== GITHUB_ITSELF) ||
      !message.split('\n').includes(OWN_TRAILER),
  );
