import { z } from 'zod';
import { parseHandoverName } from '../handover-name.ts';
import { type GitHubApi, openOctokit } from './octokit.ts';
import { allPages } from './pages.ts';
import { restFailure } from './rest-failure.ts';

const runsSchema = z.object({
  workflow_runs: z.array(
    z.object({
      id: z.int().positive(),
      status: z.string().nullable(),
      head_repository: z.object({ full_name: z.string() }).nullish(),
    }),
  ),
});
const artifactsSchema = z.object({
  artifacts: z.array(z.object({ id: z.int().positive(), name: z.string(), expired: z.boolean() })),
});

/** The newest runs of a branch that are looked at: what is older has expired mostly, and each costs a request. */
const RUNS = 50;

interface HandoverDeps extends GitHubApi {
  /** `OWNER/NAME`. */
  readonly repository: string;
}

/**
 * Deletes what build jobs handed over in the runs of a closed pull request from a branch of the repository itself; gives how many. Runs that
 * are on their way keep theirs, and so does a branch of which another pull request is open. It expires by itself, too, so what goes
 * wrong is a line in the log. Throws UserError `cancelled`.
 */
export async function removePullHandovers(deps: HandoverDeps, branch: string): Promise<number> {
  const [owner = '', repo = ''] = deps.repository.split('/');
  let removed = 0;
  try {
    const octokit = await openOctokit(deps);
    const head = `${owner}:${branch}`;
    const { data: open } = await octokit.request('GET /repos/{owner}/{repo}/pulls', {
      owner,
      repo,
      state: 'open',
      head,
    });
    if (open.length > 0) return 0;
    const { data } = await octokit.request('GET /repos/{owner}/{repo}/actions/runs', {
      ...{ owner, repo, branch, event: 'pull_request', status: 'completed', per_page: RUNS },
    });
    // A fork may have a branch of the same name.
    const runs = runsSchema
      .parse(data)
      .workflow_runs.filter((run) => run.status === 'completed' && run.head_repository?.full_name === deps.repository);
    for (const { id } of runs) {
      const artifacts = await allPages(async (page, per_page) => {
        const path = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts';
        const answer = await octokit.request(path, { owner, repo, run_id: id, page, per_page });
        return artifactsSchema.parse(answer.data).artifacts;
      });
      for (const artifact of artifacts) {
        if (artifact.expired || parseHandoverName(artifact.name) === undefined) continue;
        const path = 'DELETE /repos/{owner}/{repo}/actions/artifacts/{artifact_id}';
        await octokit.request(path, { owner, repo, artifact_id: artifact.id });
        removed += 1;
      }
    }
  } catch (error) {
    const { why, isDenied } = restFailure(error, deps.signal);
    const reason = isDenied ? 'the job needs `permissions: actions: write`' : why;
    deps.log.info(`handovers of ${branch} stay until they expire: ${reason}`);
  }
  return removed;
}
