import { readFile } from 'node:fs/promises';
import { type Artifacts, createArtifacts } from '../github/artifacts.ts';
import { type Job, readJob } from '../github/job.ts';
import type { Host } from '../host/host.ts';
import type { RunIdentity } from '../publish/newer-run.ts';

/** The job of the workflow run that this is; undefined on a person's machine. */
export const jobOf = async (host: Host): Promise<Job | undefined> =>
  host.kind === 'runner' ? readJob({ env: host.env, readFile: (path) => readFile(path, 'utf8') }) : undefined;

/** The artifacts of this run. */
export const artifactsOf = (host: Host): Artifacts =>
  createArtifacts({
    loadClient: host.loadArtifactClient,
    env: host.env,
    log: host.log,
    signal: host.signal,
    tempDir: host.tempDir,
  });

/** This run, as the images that it makes name it; undefined outside a workflow. */
export function runOf({ kind, env }: Host): RunIdentity | undefined {
  const [server, repository, id] = [env('GITHUB_SERVER_URL'), env('GITHUB_REPOSITORY'), env('GITHUB_RUN_ID')];
  return kind === 'runner' && server && repository && id ? { id, source: `${server}/${repository}` } : undefined;
}
