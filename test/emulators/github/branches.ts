import type { components } from '@octokit/openapi-types';
import type { GitRepository } from './git-repository.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

type Ref = components['schemas']['git-ref'];
type Comparison = components['schemas']['commit-comparison'];
type File = components['schemas']['content-file'];

/** What GitHub does to changes of branches, whatever the token may do. */
export interface PushModes {
  /** At which step it refuses them, with which status of REST (GraphQL answers 200), and in which words. */
  readonly refusesPushes?: {
    readonly at: 'create' | 'commit' | 'move';
    readonly status: number;
    readonly words: string;
  };
}

const READ = { scope: 'contents', level: 'read' } as const;
const WRITE = { scope: 'contents', level: 'write' } as const;

const shown = (ref: string, sha: string) => ({ ref, object: { type: 'commit', sha } }) as Ref;

/** Branches, what is between two of them, and files, as far as anything here asks; of a real repository. */
export const branchRoutes = (git: GitRepository, { refusesPushes }: PushModes = {}): Route[] => [
  route('get', '/repos/{owner}/{repo}/git/ref/{ref}', {
    need: READ,
    parameters: [],
    run: ({ path }) => {
      const branch = path('ref').replace(/^heads\//, '');
      const sha = git.tip(branch);
      if (sha === undefined) throw new Refusal(404, 'Not Found');
      return { status: 200 as const, body: shown(`refs/heads/${branch}`, sha) };
    },
  }),
  route('post', '/repos/{owner}/{repo}/git/refs', {
    need: WRITE,
    parameters: [],
    run: ({ body }) => {
      const { ref, sha } = body as { ref: string; sha: string };
      if (!ref.startsWith('refs/')) throw new Refusal(422, 'Reference name must start with refs/');
      if (refusesPushes?.at === 'create') throw new Refusal(refusesPushes.status, refusesPushes.words);
      git.create(ref, sha);
      return { status: 201 as const, body: shown(ref, sha) };
    },
  }),
  route('delete', '/repos/{owner}/{repo}/git/refs/{ref}', {
    need: WRITE,
    parameters: [],
    run: ({ path }) => {
      git.remove(`refs/${path('ref')}`);
      return { status: 204 as const };
    },
  }),
  route('get', '/repos/{owner}/{repo}/compare/{basehead}', {
    need: READ,
    parameters: ['page', 'per_page'],
    run: ({ path, query }) => {
      const [base = '', head = ''] = path('basehead').split('...');
      const { commits, behind } = git.compare(base, head);
      const size = Number(query('per_page') ?? 30);
      const counts = { behind_by: behind, ahead_by: commits.length, total_commits: commits.length };
      return { status: 200 as const, body: { ...counts, commits: commits.slice(0, size) } as unknown as Comparison };
    },
  }),
  route('get', '/repos/{owner}/{repo}/contents/{path}', {
    need: READ,
    parameters: ['ref'],
    run: ({ path, query }) => {
      const sha = git.fileId(path('path'), query('ref') ?? 'main');
      if (sha === undefined) throw new Refusal(404, 'Not Found');
      return { status: 200 as const, body: { type: 'file', path: path('path'), sha } as File };
    },
  }),
];
