import type { components } from '@octokit/openapi-types';
import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

/** A pull request, as far as anything here asks. */
export interface Pull {
  readonly number: number;
  readonly state: 'open' | 'closed';
  /** The newest commit on its branch. Default: forty times a. */
  readonly head?: string;
}

type Shown = components['schemas']['pull-request-simple'];

/** GitHub says much more of each; what is not here was asked for by nobody. */
const shown = ({ number, state }: Pull) => ({ number, state }) as Shown;

const whole = ({ number, state, head = 'a'.repeat(40) }: Pull) =>
  ({ number, state, head: { sha: head } }) as components['schemas']['pull-request'];

/** The pull requests of a repository, newest first. */
export const pullRoutes = (pulls: readonly Pull[]): Route[] => [
  route('get', '/repos/{owner}/{repo}/pulls', {
    need: { scope: 'pull-requests', level: 'read' },
    parameters: ['state', 'per_page', 'page', 'sort', 'direction', 'head', 'base'],
    run: (call) => {
      const state = call.query('state') ?? 'open';
      const found = pulls.filter((pull) => state === 'all' || pull.state === state);
      return { status: 200 as const, body: pageOf(found, call).map(shown) };
    },
  }),
  route('get', '/repos/{owner}/{repo}/pulls/{pull_number}', {
    need: { scope: 'pull-requests', level: 'read' },
    parameters: [],
    run: ({ path }) => {
      const found = pulls.find(({ number }) => String(number) === path('pull_number'));
      if (!found) throw new Refusal(404, 'Not Found');
      return { status: 200 as const, body: whole(found) };
    },
  }),
];
