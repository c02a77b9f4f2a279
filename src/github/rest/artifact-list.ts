import { z } from 'zod';
import { onFirstUse } from '../../core/on-first-use.ts';
import type { GitHubApi } from './octokit.ts';
import { allPages } from './pages.ts';
import { githubError, openRepositoryApi } from './repository-api.ts';
import { restFailure } from './rest-failure.ts';

const pageSchema = z.object({
  artifacts: z.array(
    z.object({
      id: z.int().positive(),
      name: z.string(),
      size_in_bytes: z.int().nonnegative(),
      expired: z.boolean(),
      created_at: z.iso.datetime({ offset: true }).nullable(),
      workflow_run: z.object({ id: z.int().positive().optional() }).nullish(),
    }),
  ),
});
const runSchema = z.object({ status: z.string().nullable() });

/** An artifact of any run of a repository. */
interface StoredArtifact {
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  /** Milliseconds since 1970; undefined where GitHub does not say. */
  readonly created: number | undefined;
  readonly run: number | undefined;
}

/** The artifacts of a repository as GitHub's REST interface shows them. Methods throw UserError `credentials`, `github` or `cancelled`. */
export interface RepositoryArtifacts {
  /** All that have not expired: those are listed for months, and hold nothing. */
  list(): Promise<readonly StoredArtifact[]>;
  /** Whether a run has ended; one that is gone has. */
  isOver(run: number): Promise<boolean>;
  remove(id: number): Promise<'removed' | 'gone'>;
}

/** Opens them; nothing is loaded or asked before the first call. */
export function repositoryArtifacts(deps: GitHubApi & { readonly repository: string }): RepositoryArtifacts {
  const { repository, signal } = deps;
  const client = onFirstUse(() => openRepositoryApi(deps));
  return {
    list: async () => {
      const { octokit, at } = await client();
      try {
        const all = await allPages(async (page, per_page) => {
          const path = 'GET /repos/{owner}/{repo}/actions/artifacts';
          return pageSchema.parse((await octokit.request(path, { ...at, page, per_page })).data).artifacts;
        });
        // One that is uploaded meanwhile moves others to the next page, so some are told twice.
        const byId = new Map(all.filter(({ expired }) => !expired).map((one) => [one.id, one]));
        return [...byId.values()].map(({ id, name, size_in_bytes, created_at, workflow_run }) => ({
          ...{
            id,
            name,
            bytes: size_in_bytes,
            created: created_at === null ? undefined : Date.parse(created_at),
            run: workflow_run?.id,
          },
        }));
      } catch (error) {
        throw githubError(error, {
          what: `cannot list the artifacts of ${repository}`,
          permission: 'actions: read',
          signal,
        });
      }
    },
    isOver: async (run) => {
      const { octokit, at } = await client();
      try {
        const path = 'GET /repos/{owner}/{repo}/actions/runs/{run_id}';
        return runSchema.parse((await octokit.request(path, { ...at, run_id: run })).data).status === 'completed';
      } catch (error) {
        if (restFailure(error, signal).status === 404) return true;
        throw githubError(error, {
          what: `cannot read run ${run} of ${repository}`,
          permission: 'actions: read',
          signal,
        });
      }
    },
    remove: async (id) => {
      const { octokit, at } = await client();
      try {
        await octokit.request('DELETE /repos/{owner}/{repo}/actions/artifacts/{artifact_id}', {
          ...at,
          artifact_id: id,
        });
        return 'removed';
      } catch (error) {
        // Also what follows an error of the service that has deleted it all the same.
        if (restFailure(error, signal).status === 404) return 'gone';
        throw githubError(error, {
          what: `cannot delete artifact ${id} of ${repository}`,
          permission: 'actions: write',
          signal,
        });
      }
    },
  };
}
