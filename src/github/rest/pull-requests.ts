import type { Octokit } from '@octokit/core';
import { z } from 'zod';
import { UserError } from '../../core/error.ts';
import { onFirstUse } from '../../core/on-first-use.ts';
import { type GitHubApi, openOctokit } from './octokit.ts';
import { allPages } from './pages.ts';
import { restFailure } from './rest-failure.ts';

/** A comment on a pull request. */
interface PullComment {
  readonly id: number;
  readonly author: string;
  readonly body: string;
}

/** What is known of a pull request. */
interface PullRequest {
  readonly isOpen: boolean;
  /** The newest commit on its own branch. */
  readonly headCommit: string;
}

/** The pull requests of a repository. Methods throw UserError `credentials`, `registry`, `input` for one that is not there, and `cancelled`. */
export interface PullRequests {
  read(number: number): Promise<PullRequest>;
  comments(number: number): PullComments;
  /** The comments of the whole repository that were written or changed since then, with the number of what each is on. */
  commentsSince(time: Date): Promise<(PullComment & { readonly number: number })[]>;
}

interface PullComments {
  /** All of them, from all pages. */
  list(): Promise<PullComment[]>;
  create(body: string): Promise<PullComment>;
  /** False where it is gone. */
  update(id: number, body: string): Promise<boolean>;
  remove(id: number): Promise<void>;
}

interface PullDeps extends GitHubApi {
  /** `OWNER/NAME`. */
  readonly repository: string;
}

const pullSchema = z.object({ state: z.enum(['open', 'closed']), head: z.object({ sha: z.string() }) });

// Whoever has left GitHub is null.
const commentSchema = z.object({
  id: z.int().positive(),
  user: z.object({ login: z.string() }).nullish(),
  body: z.string().nullish(),
});
const anywhereSchema = commentSchema.extend({ issue_url: z.string() });

const asComment = ({ id, user, body }: z.infer<typeof commentSchema>): PullComment => ({
  id,
  author: user?.login ?? 'ghost',
  body: body ?? '',
});

/** Opens them; nothing is loaded or asked before the first call. */
export function pullRequests(deps: PullDeps): PullRequests {
  const [owner = '', repo = ''] = deps.repository.split('/');
  const client = onFirstUse((): Promise<Octokit> => openOctokit(deps));
  const where = (number: number | undefined): string =>
    number === undefined ? `pull requests of ${deps.repository}` : `pull request ${number} of ${deps.repository}`;

  const failure = (what: string, number: number | undefined, error: unknown, level: 'read' | 'write'): UserError => {
    const { status, why, isDenied } = restFailure(error, deps.signal);
    if (status === 404 && number !== undefined) {
      return new UserError('input', `${deps.repository} has no pull request ${number}`, {
        hint: 'Check the number and the repository (GITHUB_REPOSITORY), and that the token may see it.',
        docs: 'previews.md#when-it-is-closed',
        cause: error,
      });
    }
    return new UserError(isDenied ? 'credentials' : 'registry', `cannot ${what} ${where(number)}: ${why}`, {
      hint: isDenied
        ? `The job needs \`permissions: { pull-requests: ${level} }\`; in the run of a pull request from a fork no token may write.`
        : 'Run again later.',
      docs: isDenied ? 'previews.md#step-by-step' : undefined,
      cause: error,
    });
  };

  const comments = (number: number): PullComments => ({
    list: async () => {
      try {
        const octokit = await client();
        const all = await allPages(async (page, per_page) => {
          const path = 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments';
          const { data } = await octokit.request(path, { owner, repo, issue_number: number, per_page, page });
          return z.array(commentSchema).parse(data);
        });
        // One that is deleted meanwhile moves others to the page before, one that comes is last.
        return [...new Map(all.map((comment) => [comment.id, asComment(comment)])).values()];
      } catch (error) {
        throw failure('list the comments on', number, error, 'read');
      }
    },
    create: async (body) => {
      try {
        const octokit = await client();
        const path = 'POST /repos/{owner}/{repo}/issues/{issue_number}/comments';
        const { data } = await octokit.request(path, { owner, repo, issue_number: number, body });
        return asComment(commentSchema.parse(data));
      } catch (error) {
        throw failure('comment on', number, error, 'write');
      }
    },
    update: async (id, body) => {
      const octokit = await client();
      try {
        await octokit.request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
          owner,
          repo,
          comment_id: id,
          body,
        });
        return true;
      } catch (error) {
        if (restFailure(error, deps.signal).status === 404) return false;
        throw failure('change the comment on', number, error, 'write');
      }
    },
    remove: async (id) => {
      const octokit = await client();
      try {
        await octokit.request('DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}', {
          owner,
          repo,
          comment_id: id,
        });
      } catch (error) {
        if (restFailure(error, deps.signal).status === 404) return;
        throw failure('delete a second comment on', number, error, 'write');
      }
    },
  });

  return {
    read: async (number) => {
      try {
        const octokit = await client();
        const path = 'GET /repos/{owner}/{repo}/pulls/{pull_number}';
        const { data } = await octokit.request(path, { owner, repo, pull_number: number });
        const { state, head } = pullSchema.parse(data);
        return { isOpen: state === 'open', headCommit: head.sha };
      } catch (error) {
        throw failure('read', number, error, 'read');
      }
    },
    comments,
    commentsSince: async (time) => {
      try {
        const octokit = await client();
        const all = await allPages(async (page, per_page) => {
          const order = { sort: 'created', direction: 'asc', since: time.toISOString() } as const;
          const path = 'GET /repos/{owner}/{repo}/issues/comments';
          const { data } = await octokit.request(path, { owner, repo, ...order, per_page, page });
          return z.array(anywhereSchema).parse(data);
        });
        const numbered = all.map((one) => ({ ...asComment(one), number: Number(/\d+$/.exec(one.issue_url)?.[0]) }));
        return [...new Map(numbered.map((comment) => [comment.id, comment])).values()];
      } catch (error) {
        throw failure('list the comments on', undefined, error, 'read');
      }
    },
  };
}
