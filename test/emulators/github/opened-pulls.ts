import type { components } from '@octokit/openapi-types';
import type { GitRepository } from './git-repository.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

type Shown = components['schemas']['pull-request'];
type Simple = components['schemas']['pull-request-simple'];

/** A pull request that was opened through the interface. */
export interface OpenedPull {
  readonly number: number;
  readonly head: string;
  readonly base: string;
  title: string;
  body: string;
  state: 'open' | 'closed';
  labels: readonly string[];
  readonly comments: string[];
  merges?: string;
}

/** GitHub's limit, in characters. */
const BODY_LIMIT = 65_536;

interface PullModes {
  /** Whether the setting "Allow GitHub Actions to create and approve pull requests" is on. Default: true. */
  readonly mayOpen?: boolean;
}

export class OpenedPulls {
  readonly all: OpenedPull[] = [];
  readonly #git: GitRepository;

  constructor(git: GitRepository) {
    this.#git = git;
  }

  /** GitHub closes a pull request as soon as its branch has nothing over its base, or is gone. */
  afterPush(): void {
    for (const pull of this.all) {
      const [head, base] = [this.#git.tip(pull.head), this.#git.tip(pull.base)];
      if (head === undefined || base === undefined || this.#git.compare(base, head).commits.length === 0)
        pull.state = 'closed';
    }
  }

  open(): OpenedPull[] {
    return this.all.filter(({ state }) => state === 'open');
  }

  byNumber(number: string): OpenedPull {
    const pull = this.all.find((one) => String(one.number) === number);
    if (!pull) throw new Refusal(404, 'Not Found');
    return pull;
  }
}

const checkBody = (body: string | undefined): void => {
  if (body !== undefined && body.length > BODY_LIMIT) {
    throw new Refusal(
      422,
      'Validation Failed: {"resource":"Issue","code":"custom","field":"body","message":"body is too long"}',
    );
  }
};

const shown = ({ number, state, title, body }: OpenedPull, repository: string) => ({
  ...{ number, state, title, body, node_id: `PR_${number}` },
  html_url: `https://github.com/${repository}/pull/${number}`,
});

/** Pull requests that are opened, changed and labelled. */
export const openedPullRoutes = (
  pulls: OpenedPulls,
  git: GitRepository,
  { mayOpen = true }: PullModes = {},
  repository = 'org/app',
): Route[] => [
  route('get', '/repos/{owner}/{repo}/pulls', {
    need: { scope: 'pull-requests', level: 'read' },
    parameters: ['state', 'per_page', 'page', 'head', 'base'],
    run: ({ query }) => {
      const [owner] = repository.split('/');
      const found = pulls.open().filter(({ head, base }) => {
        const isHead = query('head') === undefined || query('head') === `${owner}:${head}`;
        return isHead && (query('base') === undefined || query('base') === base);
      });
      return { status: 200 as const, body: found.map((pull) => shown(pull, repository)) as unknown as Simple[] };
    },
  }),
  route('post', '/repos/{owner}/{repo}/pulls', {
    need: { scope: 'pull-requests', level: 'write' },
    parameters: [],
    run: ({ body }) => {
      if (!mayOpen) throw new Refusal(403, 'GitHub Actions is not permitted to create or approve pull requests.');
      const {
        head,
        base,
        title,
        body: text = '',
      } = body as { head: string; base: string; title: string; body?: string };
      checkBody(text);
      if (pulls.open().some((pull) => pull.head === head)) throw new Refusal(422, 'Validation Failed');
      if (git.compare(base, head).commits.length === 0) throw new Refusal(422, 'Validation Failed');
      const pull: OpenedPull = {
        number: pulls.all.length + 1,
        head,
        base,
        title,
        body: text,
        state: 'open',
        labels: [],
        comments: [],
      };
      pulls.all.push(pull);
      return { status: 201 as const, body: shown(pull, repository) as unknown as Shown };
    },
  }),
  route('patch', '/repos/{owner}/{repo}/pulls/{pull_number}', {
    need: { scope: 'pull-requests', level: 'write' },
    parameters: [],
    run: ({ path, body }) => {
      const pull = pulls.byNumber(path('pull_number'));
      const { title, body: text, state } = body as { title?: string; body?: string; state?: 'open' | 'closed' };
      checkBody(text);
      pull.state = state ?? pull.state;
      pull.title = title ?? pull.title;
      pull.body = text ?? pull.body;
      return { status: 200 as const, body: shown(pull, repository) as unknown as Shown };
    },
  }),
  route('post', '/repos/{owner}/{repo}/issues/{issue_number}/comments', {
    need: { scope: 'pull-requests', level: 'write' },
    parameters: [],
    run: ({ path, body }) => {
      const { body: text } = body as { body: string };
      pulls.byNumber(path('issue_number')).comments.push(text);
      return { status: 201 as const, body: { id: 1, body: text } as components['schemas']['issue-comment'] };
    },
  }),
  route('post', '/repos/{owner}/{repo}/issues/{issue_number}/labels', {
    need: { scope: 'pull-requests', level: 'write' },
    parameters: [],
    run: ({ path, body }) => {
      const pull = pulls.byNumber(path('issue_number'));
      const { labels } = body as { labels: string[] };
      pull.labels = [...new Set([...pull.labels, ...labels])];
      return { status: 200 as const, body: pull.labels.map((name) => ({ name }) as components['schemas']['label']) };
    },
  }),
];
