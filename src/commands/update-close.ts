import { codeMarkdown } from '../core/markdown.ts';
import { branchTip, compareBranches } from '../github/rest/branches.ts';
import { identityOf } from '../github/rest/commits.ts';
import { closeWithComment, findPull } from '../github/rest/own-pull.ts';
import { foreignCommits } from '../update/own-commits.ts';
import type { PullInputs, PullTarget } from './update-pull.ts';

/** What the update came to, as far as its comment tells. */
interface Pointless {
  /** Names of the files that the update would change all the same. */
  readonly files: readonly string[];
}

/**
 * Closes the pull request of an earlier update where the update changes no image any more, and says so in a comment; gives its number. One whose
 * branch has commits of others is theirs, and stays, with a warning. The branch stays as well: nobody can delete one and be sure that nobody
 * has pushed to it meanwhile. Throws UserError.
 */
export async function closeUpdatePull(
  { api, host, base, tip, runUrl }: Pick<PullTarget, 'api' | 'host' | 'base' | 'tip' | 'runUrl'>,
  { files }: Pointless,
  { branch }: Pick<PullInputs, 'branch'>,
): Promise<number | undefined> {
  const pull = await findPull(api, { branch, base });
  const head = pull && (await branchTip(api, branch));
  if (pull === undefined || head === undefined) return undefined;
  const { login } = await identityOf(api);
  const { commits, total } = await compareBranches(api, tip, head);
  if (total > commits.length || foreignCommits(commits, login).length > 0) {
    host.log.warn(`pull request ${pull.number} changes no image any more, but has commits of others, so it stays open`);
    return undefined;
  }
  const now =
    files.length === 0
      ? `all inputs on ${codeMarkdown(base)} are at their newest`
      : 'the newest inputs change no image';
  const by = runUrl === undefined ? '' : ` ([run](${runUrl}))`;
  const why = `There is nothing to merge here any more: ${now}${by}. The next update that changes an image opens another pull request.`;
  await closeWithComment(api, pull, why);
  host.log.info(`pull request ${pull.number} is closed: it changes no image any more`);
  return pull.number;
}
