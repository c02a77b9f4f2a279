import { CONSUMER } from './act.ts';

/** What GitHub says about a push to the default branch. */
export const pushToMain = (): Readonly<Record<string, unknown>> => ({
  ref: 'refs/heads/main',
  repository: {
    full_name: CONSUMER,
    default_branch: 'main',
    fork: false,
    owner: { login: CONSUMER.split('/')[0], type: 'Organization' },
  },
});

/** What GitHub says about a pull request from a fork, as far as actions look at it. */
export const forkPullRequest = (number = 7): Readonly<Record<string, unknown>> => ({
  action: 'opened',
  // At the top too: act makes GITHUB_REF from it.
  number,
  repository: { full_name: CONSUMER, default_branch: 'main', fork: false },
  pull_request: {
    number,
    head: { ref: 'change', repo: { full_name: 'stranger/consumer', fork: true } },
    base: { ref: 'main', repo: { full_name: CONSUMER, fork: false } },
  },
});

/** What GitHub says about a pull request of the repository itself. */
export const pullRequest = (action: string, number: number, head: string): Readonly<Record<string, unknown>> => ({
  action,
  number,
  repository: { full_name: CONSUMER, default_branch: 'main', fork: false },
  pull_request: {
    number,
    head: { ref: 'change', sha: head, repo: { full_name: CONSUMER, fork: false } },
    base: { ref: 'main', repo: { full_name: CONSUMER, fork: false } },
  },
});
