import type { components } from '@octokit/openapi-types';
import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

/** An artifact of some run. */
export interface EmulatedArtifact {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly run: number;
  readonly expired?: boolean;
}

type Artifact = components['schemas']['artifact'];
type Run = components['schemas']['workflow-run'];

const shown = ({ id, name, bytes, created, run, expired = false }: EmulatedArtifact) =>
  ({
    ...{ id, name, size_in_bytes: bytes, expired, created_at: new Date(created).toISOString() },
    workflow_run: { id: run },
  }) as Artifact;

/** The artifacts of all runs of a repository, newest first, those that have expired among them; `runs` are the status of each run. */
export const artifactRoutes = (
  artifacts: Map<number, EmulatedArtifact>,
  runs: ReadonlyMap<number, 'completed' | 'in_progress' | 'queued'>,
): Route[] => [
  route('get', '/repos/{owner}/{repo}/actions/artifacts', {
    need: { scope: 'actions', level: 'read' },
    parameters: ['per_page', 'page', 'name'],
    run: (call) => {
      const all = [...artifacts.values()].sort((a, b) => b.created - a.created || b.id - a.id);
      return { status: 200 as const, body: { total_count: all.length, artifacts: pageOf(all, call).map(shown) } };
    },
  }),
  route('get', '/repos/{owner}/{repo}/actions/runs/{run_id}', {
    need: { scope: 'actions', level: 'read' },
    parameters: [],
    run: ({ path }) => {
      const id = Number(path('run_id'));
      const status = runs.get(id);
      if (status === undefined) throw new Refusal(404, 'Not Found');
      return { status: 200 as const, body: { id, status } as Run };
    },
  }),
  route('delete', '/repos/{owner}/{repo}/actions/artifacts/{artifact_id}', {
    need: { scope: 'actions', level: 'write' },
    parameters: [],
    run: ({ path }) => {
      if (!artifacts.delete(Number(path('artifact_id')))) throw new Refusal(404, 'Not Found');
      return { status: 204 as const };
    },
  }),
];
