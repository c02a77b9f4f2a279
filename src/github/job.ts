import { z } from 'zod';
import { UserError } from '../io/error.ts';

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

/** Of the event's payload, which whoever opens a pull request writes in part. */
const eventSchema = z.looseObject({
  repository: z.looseObject({ full_name: z.string() }).optional(),
  pull_request: z
    .looseObject({ head: z.looseObject({ repo: z.looseObject({ full_name: z.string() }).nullable() }) })
    .optional(),
});

export interface JobSource {
  readonly env: (name: string) => string | undefined;
  readonly readFile: (path: string) => Promise<string>;
}

/** Reads the job from the runner's environment (docs.github.com, "Default environment variables"). Throws UserError `input`. */
export async function readJob({ env, readFile }: JobSource): Promise<Job> {
  const attempt = Number(env('GITHUB_RUN_ATTEMPT') ?? '1');
  return {
    runId: required(env, 'GITHUB_RUN_ID'),
    attempt: Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 1,
    job: env('GITHUB_JOB') ?? 'unknown',
    actor: env('GITHUB_ACTOR') ?? 'unknown',
    isFork: await isFork(env, readFile),
  };
}

async function isFork(env: JobSource['env'], readFile: JobSource['readFile']): Promise<boolean> {
  const path = env('GITHUB_EVENT_PATH');
  if (path === undefined) return false;
  const event = parseEvent(path, await readFile(path));
  if (!event.pull_request) return false;
  const own = env('GITHUB_REPOSITORY') ?? event.repository?.full_name;
  // A fork that was deleted meanwhile has no repository any more.
  return event.pull_request.head.repo?.full_name !== own;
}

function parseEvent(path: string, text: string): z.infer<typeof eventSchema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, 'it is not JSON', cause);
  }
  const result = eventSchema.safeParse(value);
  if (result.success) return result.data;
  throw damaged(path, z.prettifyError(result.error));
}

const damaged = (path: string, why: string, cause?: unknown): UserError =>
  new UserError('input', `the event's payload in ${path} cannot be read: ${why}`, {
    hint: 'GITHUB_EVENT_PATH must name the file that the runner wrote.',
    cause,
  });

function required(env: JobSource['env'], name: string): string {
  const value = env(name);
  if (value !== undefined) return value;
  throw new UserError('input', `${name} is not set`, {
    hint: 'Actions run on a runner of GitHub Actions only; elsewhere use the command line.',
  });
}
