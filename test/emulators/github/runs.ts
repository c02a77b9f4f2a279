import type { components } from '@octokit/openapi-types';
import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

/** A workflow run and its artifacts, as far as anything here asks. */
export interface StoredRun {
  readonly id: number;
  readonly event: string;
  readonly branch: string;
  readonly status: 'completed' | 'in_progress';
  readonly headRepository: string;
  /** By id. */
  readonly artifacts: Map<number, string>;
}

type ShownRun = components['schemas']['workflow-run'];
type ShownArtifact = components['schemas']['artifact'];

const shown = ({ id, event, branch, status, headRepository }: StoredRun) =>
  ({ id, event, head_branch: branch, status, head_repository: { full_name: headRepository } }) as ShownRun;

/** The runs of a repository and their artifacts, newest first. */
export const runRoutes = (runs: readonly StoredRun[]): Route[] => [
  route('get', '/repos/{owner}/{repo}/actions/runs', {
    need: { scope: 'actions', level: 'read' },
    parameters: ['branch', 'event', 'status', 'per_page', 'page'],
    run: (call) => {
      const is = (name: 'branch' | 'event' | 'status', value: string): boolean =>
        [undefined, value].includes(call.query(name));
      const found = runs.filter(
        (run) => is('branch', run.branch) && is('event', run.event) && is('status', run.status),
      );
      const body = { total_count: found.length, workflow_runs: pageOf(found, call).map(shown) };
      return { status: 200 as const, body };
    },
  }),
  route('get', '/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts', {
    need: { scope: 'actions', level: 'read' },
    parameters: ['name', 'per_page', 'page', 'direction'],
    run: (call) => {
      const run = runs.find(({ id }) => String(id) === call.path('run_id'));
      if (!run) throw new Refusal(404, 'Not Found');
      const all = [...run.artifacts].map(([id, name]) => ({ id, name, expired: false }) as ShownArtifact);
      return { status: 200 as const, body: { total_count: all.length, artifacts: pageOf(all, call) } };
    },
  }),
  route('delete', '/repos/{owner}/{repo}/actions/artifacts/{artifact_id}', {
    need: { scope: 'actions', level: 'write' },
    parameters: [],
    run: ({ path }) => {
      const id = Number(path('artifact_id'));
      if (!runs.some(({ artifacts }) => artifacts.delete(id))) throw new Refusal(404, 'Not Found');
      return { status: 204 as const };
    },
  }),
];
