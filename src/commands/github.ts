import { readFile } from 'node:fs/promises';
import { systemClock } from '../core/clock.ts';
import { type Artifacts, createArtifacts } from '../github/artifacts.ts';
import { readPayload } from '../github/event.ts';
import { type Job, readJob } from '../github/job.ts';
import type { Host } from '../host/host.ts';
import type { RunIdentity, StartedRun } from '../oci/newer-run.ts';

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

/**
 * This run with when it began: at the push that started it, which a re-run has in its payload too; or now, in a first attempt. Throws
 * UserError `input` for a payload that is not valid.
 */
export async function startedRun(host: Host): Promise<StartedRun | undefined> {
  const run = runOf(host);
  if (run === undefined) return undefined;
  const { repository } = await readPayload({ env: host.env, readFile: (path) => readFile(path, 'utf8') });
  const pushed = host.env('GITHUB_EVENT_NAME') === 'push' ? repository?.pushed_at : undefined;
  if (typeof pushed === 'number') return { ...run, began: pushed * SECOND };
  return { ...run, began: host.env('GITHUB_RUN_ATTEMPT') === '1' ? systemClock.now() : undefined };
}

const SECOND = 1000;

/** This run, as the images that it makes name it; undefined outside a workflow. */
export function runOf({ kind, env }: Host): RunIdentity | undefined {
  const [server, repository, id] = [env('GITHUB_SERVER_URL'), env('GITHUB_REPOSITORY'), env('GITHUB_RUN_ID')];
  return kind === 'runner' && server && repository && id ? { id, source: `${server}/${repository}` } : undefined;
}
