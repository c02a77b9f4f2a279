import { join, relative } from 'node:path';
import { UserError } from '../core/error.ts';
import { branchTip, compareBranches, createBranch, deleteBranch, fileId } from '../github/rest/branches.ts';
import { commitFiles, identityOf, moveBranch } from '../github/rest/commits.ts';
import { addLabels, type MergeMethod, mergeWhenGreen, openPull } from '../github/rest/own-pull.ts';
import { openRepositoryApi, type RepositoryApi } from '../github/rest/repository-api.ts';
import type { Host } from '../host/host.ts';
import { foreignCommits } from '../update/own-commits.ts';
import { type UpdateReport, updateBody, updateMessage, updateTitle } from '../update/pull-request.ts';
import { type Checkout, openCheckout } from './checkout.ts';
import type { LockFiles } from './lock-files.ts';
import type { OpenedPull } from './present-update.ts';

export interface PullInputs {
  readonly base: string | undefined;
  readonly branch: string;
  readonly labels: readonly string[];
  readonly autoMerge: MergeMethod | 'none';
  readonly githubToken: string | undefined;
}

/** What a pull request is opened from, and where. */
export interface PullTarget {
  readonly api: RepositoryApi;
  readonly host: Pick<Host, 'log'>;
  readonly checkout: Checkout;
  readonly base: string;
  /** Such as `https://github.com/org/app`. */
  readonly web: string;
  readonly runUrl: string | undefined;
  /** Commit of the base that the branch is begun from. */
  readonly tip: string;
}

/** GitHub's login of the token that a job has. */
const JOB_LOGIN = 'github-actions[bot]';

/**
 * Checks, before anything is evaluated, that a pull request could come of it. Throws UserError `input` where the checkout is not that of the
 * base, and as GitHub refuses.
 */
export async function pullTarget(
  folder: string,
  locks: LockFiles,
  inputs: PullInputs,
  host: Host,
): Promise<PullTarget> {
  const { env, fetch, log, signal } = host;
  if (inputs.githubToken === undefined) {
    throw new UserError('input', 'a pull request needs a token', {
      hint: 'Set NIX_IMAGES_GITHUB_TOKEN, or in a workflow the input github-token.',
    });
  }
  const names = locks.files.map(({ name }) => name);
  const checkout = await openCheckout(folder, names, host);
  const base = inputs.base ?? checkout.branch;
  if (base === undefined || base === inputs.branch) {
    const what = base === undefined ? 'no branch is checked out' : `${base} is the branch of the update itself`;
    throw new UserError('input', `${what}, so the pull request has no base`, {
      hint: 'Check out the branch that is to be updated, or name it: base: main.',
    });
  }
  const repository = env('GITHUB_REPOSITORY') ?? checkout.repository;
  if (repository === undefined) {
    throw new UserError('input', 'the checkout does not say which repository of GitHub it is of', {
      hint: 'Set GITHUB_REPOSITORY=OWNER/NAME.',
    });
  }
  const url = env('GITHUB_API_URL') ?? 'https://api.github.com';
  const web = `${env('GITHUB_SERVER_URL') ?? 'https://github.com'}/${repository}`;
  const run = env('GITHUB_RUN_ID');
  const api = await openRepositoryApi({ url, token: inputs.githubToken, repository, fetch, log, signal });
  const tip = await baseTip(api, base, checkout);
  return { api, host, checkout, base, web, runUrl: run === undefined ? undefined : `${web}/actions/runs/${run}`, tip };
}

/**
 * The newest commit of the base. The lock files that were checked out must be those of it, or the update would take back what somebody has
 * merged meanwhile; whatever else the base got since is no obstacle, for the branch is begun from it.
 */
async function baseTip(api: RepositoryApi, base: string, { head, prefix, fileIds }: Checkout): Promise<string> {
  const tip = await branchTip(api, base);
  if (tip === undefined) {
    throw new UserError('input', `${api.repository} does not have the branch ${base}`, {
      hint: 'Name one that is: base: main.',
    });
  }
  if (tip === head) return tip;
  for (const [name, id] of fileIds) {
    if ((await fileId(api, join(prefix, name), tip)) === id) continue;
    throw new UserError('input', `${name} on ${base} is not the one that is checked out`, {
      hint: `${base} has moved since, or another branch is checked out: run the update again on the newest commit of ${base}.`,
    });
  }
  return tip;
}

interface PullReport extends Omit<UpdateReport, 'files'> {
  readonly files: readonly { readonly name: string; readonly text: string }[];
}

/** Opens the pull request of an update, or brings the one that is open up to date. Throws UserError, before anything of others is lost. */
export async function openUpdatePull(target: PullTarget, report: PullReport, inputs: PullInputs): Promise<OpenedPull> {
  const { api, host, base, web, runUrl, checkout } = target;
  const { branch, labels, autoMerge } = inputs;
  const { login } = await commitUpdate(target, report, branch);
  const isJobToken = login === JOB_LOGIN;
  const named = { ...report, files: report.files.map(({ name }) => relative('.', join(checkout.prefix, name))) };
  const text = { branch, base, title: updateTitle(report), body: updateBody(named, { isJobToken, runUrl }) };
  const pull = await openPull(api, `${web}/compare/${base}...${branch}?expand=1`, text);
  host.log.info(`pull request ${pull.number}: ${pull.url}`);
  if (labels.length > 0) {
    await addLabels(api, pull, labels).catch((error: unknown) => {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      host.log.warn(error.message);
    });
  }
  const whyNot = autoMerge === 'none' ? undefined : (whyByHand(report) ?? (await mergeWhenGreen(api, pull, autoMerge)));
  return { number: pull.number, url: pull.url, branch, merges: autoMerge !== 'none' && whyNot === undefined, whyNot };
}

/** What a person should look at before it is merged, however green the checks are. */
function whyByHand({ changes, images }: PullReport): string | undefined {
  const older = changes.find(({ isDowngrade }) => isDowngrade);
  if (older) return `${older.name} is older than before`;
  const lost = images.find(({ isBroken }) => isBroken);
  return lost === undefined ? undefined : `${lost.name} loses a system`;
}

/** Puts the files on the branch as one commit over the base; nothing is done where that is what is there. */
async function commitUpdate(
  { api, base, tip, checkout: { prefix, idOf } }: PullTarget,
  report: PullReport,
  branch: string,
): Promise<{ readonly login: string }> {
  const { login, repositoryId } = await identityOf(api);
  const files = report.files.map(({ name, text }) => ({ path: join(prefix, name), text }));
  const commit = { parent: tip, files, ...updateMessage(report) };
  const old = await branchTip(api, branch);
  if (old === undefined) {
    await createBranch(api, branch, tip);
    try {
      await commitFiles(api, { ...commit, branch });
    } catch (error) {
      // Made by this run, and the same as the base.
      await deleteBranch(api, branch);
      throw error;
    }
    return { login };
  }
  const { commits, total, behind } = await compareBranches(api, tip, old);
  const foreign = foreignCommits(commits, login);
  const [first] = foreign;
  if (first !== undefined || total > commits.length) {
    const [subject = ''] = first?.message.split('\n') ?? [];
    const by = first?.author ?? first?.committer ?? 'somebody whom GitHub does not know';
    const which =
      first === undefined ? `${total} commits` : `${first.sha.slice(0, 10)} by ${by}, ${JSON.stringify(subject)}`;
    throw new UserError('input', `the branch ${branch} has commits of others (${which}), which an update would lose`, {
      hint: `Merge or close its pull request and delete the branch; or name another one: branch: ${branch}-2. ${base} and ${branch} are as they were.`,
      docs: 'rebuild.md#what-the-pull-request-is',
    });
  }
  const ids = await Promise.all(
    files.map(async ({ path, text }) => (await fileId(api, path, old)) === (await idOf(text))),
  );
  if (behind === 0 && total === 1 && ids.every(Boolean)) return { login };
  // On a branch of its own first: one that was moved to its base for a moment would have its pull request closed by GitHub.
  const next = `${branch}-next`;
  await deleteBranch(api, next);
  await createBranch(api, next, tip);
  try {
    const made = await commitFiles(api, { ...commit, branch: next });
    await moveBranch(api, { repositoryId, branch, from: old, to: made });
  } finally {
    await deleteBranch(api, next);
  }
  return { login };
}
