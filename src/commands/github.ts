import { readFile } from 'node:fs/promises';
import { type Artifacts, createArtifacts } from '../github/artifacts.ts';
import { type Job, readJob } from '../github/job.ts';
import type { Host } from '../host/host.ts';

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
