import { type EventSource, readPayload, required } from './event.ts';

/** The job of a workflow run that this is, as far as it matters here. */
export interface Job {
  readonly runId: string;
  /** From 1; a re-run of failed jobs counts on. */
  readonly attempt: number;
  /** The job's id in the workflow file. */
  readonly job: string;
  readonly actor: string;
  /** Whether the run tests a pull request that comes from another repository: its code is a stranger's. */
  readonly isFork: boolean;
}

/** Reads the job from the runner's environment (docs.github.com, "Default environment variables"). Throws UserError `input`. */
export async function readJob(source: EventSource): Promise<Job> {
  const { env } = source;
  const attempt = Number(env('GITHUB_RUN_ATTEMPT') ?? '1');
  return {
    runId: required(env, 'GITHUB_RUN_ID'),
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1,
    job: env('GITHUB_JOB') ?? 'unknown',
    actor: env('GITHUB_ACTOR') ?? 'unknown',
    isFork: await isFork(source),
  };
}

async function isFork(source: EventSource): Promise<boolean> {
  const payload = await readPayload(source);
  if (!payload.pull_request) return false;
  const own = source.env('GITHUB_REPOSITORY') ?? payload.repository?.full_name;
  // A fork that was deleted meanwhile has no repository any more.
  return payload.pull_request.head.repo?.full_name !== own;
}
