import { type EventPayload, type EventSource, missingField, readPayload, required } from './event.ts';

/** The job of a workflow run that this is, as far as it matters here. */
export interface Job {
  readonly runId: string;
  /** From 1; a re-run of failed jobs counts on. */
  readonly attempt: number;
  /** The job's id in the workflow file. */
  readonly job: string;
  readonly actor: string;
  /**
   * Whether the run is about a pull request that comes from another repository, or follows a run of another one: the code
   * is a stranger's, or made of what a stranger wrote.
   */
  readonly isFork: boolean;
  /** Whether Dependabot started the run, which then has Dependabot's secrets and not the repository's. */
  readonly isDependabot: boolean;
  /** Whether GitHub's merge queue tries a merge: what is published is published by the push that follows. */
  readonly isMergeQueue: boolean;
}

/** What GitHub runs without the repository's secrets (docs.github.com, "Dependabot on GitHub Actions"). */
const DEPENDABOT_EVENTS: ReadonlySet<string> = new Set([
  'pull_request',
  'pull_request_review',
  'pull_request_review_comment',
  'push',
  'create',
  'deployment',
  'deployment_status',
]);

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
    isDependabot: env('GITHUB_ACTOR') === 'dependabot[bot]' && DEPENDABOT_EVENTS.has(env('GITHUB_EVENT_NAME') ?? ''),
    isMergeQueue: env('GITHUB_EVENT_NAME') === 'merge_group',
  };
}

async function isFork(source: EventSource): Promise<boolean> {
  const payload = await readPayload(source);
  const head = headOf(source.env('GITHUB_EVENT_NAME') ?? '', payload);
  if (head === undefined) return false;
  const own = source.env('GITHUB_REPOSITORY') ?? payload.repository?.full_name;
  // A fork that was deleted meanwhile has no repository any more.
  return head?.full_name !== own;
}

/** The repository that the event's code is from; undefined for events that only the repository itself brings about. */
function headOf(event: string, { pull_request, workflow_run }: EventPayload) {
  // Taken for no pull request at all, a stranger's would be published.
  if (event.startsWith('pull_request') && !pull_request) throw missingField(event, 'pull_request');
  if (event === 'workflow_run' && !workflow_run) throw missingField(event, 'workflow_run');
  return pull_request ? pull_request.head.repo : workflow_run?.head_repository;
}
