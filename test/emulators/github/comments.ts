import type { components } from '@octokit/openapi-types';
import { pageOf } from './paging.ts';
import type { Pull } from './pulls.ts';
import { Refusal } from './refusal.ts';
import { type Route, type RouteCall, route } from './route.ts';

/** A comment on a pull request. */
export interface StoredComment {
  readonly id: number;
  readonly pull: number;
  readonly login: string;
  body: string;
}

type Shown = components['schemas']['issue-comment'];

/** GitHub says much more of each. */
const shown = ({ id, pull, login, body }: StoredComment) =>
  ({ id, issue_url: `https://api.github.com/repos/org/app/issues/${pull}`, user: { login }, body }) as Shown;

/** Characters that GitHub takes: "Body is too long (maximum is 65536 characters)". */
const LONGEST = 65_536;

interface CommentOptions {
  readonly pulls: readonly Pull[];
  /** Kept here, oldest first; a test may change it. */
  readonly comments: StoredComment[];
  /** Whose token it is. Default: a job's own. */
  readonly login?: string;
}

const bodyOf = ({ body }: RouteCall<never>): string => {
  const text = typeof body === 'object' && body !== null && 'body' in body ? body.body : undefined;
  if (typeof text !== 'string' || text.trim() === '') throw new Refusal(422, 'Validation Failed');
  // In GitHub's answer an item of `errors`, for `resource: IssueComment, field: data`.
  if (text.length > LONGEST) throw new Refusal(422, `Body is too long (maximum is ${LONGEST} characters)`);
  return text;
};

/** Comments on pull requests, as GitHub has them: those of issues. */
export const commentRoutes = ({ pulls, comments, login = 'github-actions[bot]' }: CommentOptions): Route[] => {
  const onPull = ({ path }: RouteCall<never>): number => {
    const number = Number(path('issue_number'));
    if (!pulls.some((pull) => pull.number === number)) throw new Refusal(404, 'Not Found');
    return number;
  };
  const found = ({ path }: RouteCall<never>): StoredComment => {
    const comment = comments.find(({ id }) => id === Number(path('comment_id')));
    if (!comment) throw new Refusal(404, 'Not Found');
    return comment;
  };
  return [
    route('get', '/repos/{owner}/{repo}/issues/{issue_number}/comments', {
      need: { scope: 'pull-requests', level: 'read' },
      parameters: ['since', 'per_page', 'page'],
      run: (call) => {
        const number = onPull(call);
        return {
          status: 200 as const,
          body: pageOf(
            comments.filter(({ pull }) => pull === number),
            call,
          ).map(shown),
        };
      },
    }),
    route('get', '/repos/{owner}/{repo}/issues/comments', {
      need: { scope: 'pull-requests', level: 'read' },
      parameters: ['since', 'sort', 'direction', 'per_page', 'page'],
      // Those of long ago are not told from others here.
      run: (call) => ({ status: 200 as const, body: pageOf(comments, call).map(shown) }),
    }),
    route('post', '/repos/{owner}/{repo}/issues/{issue_number}/comments', {
      need: { scope: 'pull-requests', level: 'write' },
      parameters: [],
      run: (call) => {
        const id = Math.max(1000, ...comments.map((comment) => comment.id)) + 1;
        const comment = { id, pull: onPull(call), login, body: bodyOf(call) };
        comments.push(comment);
        return { status: 201 as const, body: shown(comment) };
      },
    }),
    route('patch', '/repos/{owner}/{repo}/issues/comments/{comment_id}', {
      need: { scope: 'pull-requests', level: 'write' },
      parameters: [],
      run: (call) => {
        const comment = found(call);
        comment.body = bodyOf(call);
        return { status: 200 as const, body: shown(comment) };
      },
    }),
    route('delete', '/repos/{owner}/{repo}/issues/comments/{comment_id}', {
      need: { scope: 'pull-requests', level: 'write' },
      parameters: [],
      run: (call) => {
        comments.splice(comments.indexOf(found(call)), 1);
        return { status: 204 as const };
      },
    }),
  ];
};
