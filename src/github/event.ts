import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { Env } from './runtime.ts';

/** What the run was started by, as far as it matters here. */
export interface RunEvent {
  /** `push`, `pull_request`, `schedule`, … */
  readonly name: string;
  /**
   * In full: `refs/heads/main`, `refs/tags/v1.2.3`, `refs/pull/7/merge`. Of `pull_request_target` that of the pull request, though
   * the runner says the base's: what is made for a pull request must not move what the base has published.
   */
  readonly ref: string;
  /** Of a pull request, GitHub's merge of it into its base. */
  readonly commit: string;
  /** Of a pull request, the newest commit on its own branch. */
  readonly headCommit: string | undefined;
  /** Branch that a pull request is meant for. */
  readonly base: string | undefined;
  /** Undefined where the payload does not say it. */
  readonly defaultBranch: string | undefined;
}

export interface EventSource {
  readonly env: Env;
  readonly readFile: (path: string) => Promise<string>;
}

const namedSchema = z.looseObject({ full_name: z.string() });

/** Of the event's payload, which whoever opens a pull request writes in part. A fork that was deleted is `null`. */
const payloadSchema = z.looseObject({
  action: z.string().optional(),
  repository: namedSchema
    .extend({
      /** Of a push seconds since 1970, of other events a text. */
      pushed_at: z.union([z.number(), z.string()]).nullish(),
      default_branch: z.string().min(1).optional(),
      private: z.boolean().optional(),
      owner: z.looseObject({ login: z.string(), type: z.string().optional() }).optional(),
    })
    .optional(),
  pull_request: z
    .looseObject({
      number: z.int().positive().optional(),
      head: z.looseObject({
        repo: namedSchema.nullable(),
        sha: z.string().min(1).optional(),
        ref: z.string().optional(),
      }),
    })
    .optional(),
  head_commit: z.looseObject({ timestamp: z.iso.datetime({ offset: true }).optional() }).nullish(),
  workflow_run: z.looseObject({ head_repository: namedSchema.nullable() }).optional(),
});

export type EventPayload = z.infer<typeof payloadSchema>;

/** Reads the event's payload; empty where the runner wrote none. Throws UserError `input` that names the field that is not as expected. */
export async function readPayload({ env, readFile }: EventSource): Promise<EventPayload> {
  const path = env('GITHUB_EVENT_PATH');
  return path === undefined ? {} : parsePayload(path, await readFile(path));
}

/** Reads the event from the runner's environment (docs.github.com, "Default environment variables"). Throws UserError `input`. */
export async function readEvent(source: EventSource): Promise<RunEvent> {
  const name = required(source.env, 'GITHUB_EVENT_NAME');
  const payload = await readPayload(source);
  const ref = refOf(name, required(source.env, 'GITHUB_REF'), payload);
  return {
    name,
    ref,
    commit: required(source.env, 'GITHUB_SHA'),
    headCommit: payload.pull_request?.head.sha,
    base: source.env('GITHUB_BASE_REF'),
    // A schedule's payload has no repository, but a schedule runs on the default branch only.
    defaultBranch: payload.repository?.default_branch ?? (name === 'schedule' ? branchOf(ref) : undefined),
  };
}

function refOf(event: string, ref: string, { pull_request }: EventPayload): string {
  if (event !== 'pull_request_target') return ref;
  if (pull_request?.number === undefined) throw missingField(event, 'pull_request.number');
  return `refs/pull/${pull_request.number}/merge`;
}

/** The branch that a ref is, if it is one. The branches on which GitHub's merge queue tries a merge are not: they last for minutes. */
export const branchOf = (ref: string): string | undefined =>
  /^refs\/heads\/(?!gh-readonly-queue\/)(.+)$/.exec(ref)?.[1];

/** Throws UserError `input` unless the runner set the variable. */
export function required(env: Env, name: string): string {
  const value = env(name);
  if (value !== undefined) return value;
  throw new UserError('input', `${name} is not set`, {
    hint: 'Actions run on a runner of GitHub Actions only; elsewhere use the command line.',
  });
}

const parsePayload = (path: string, text: string): EventPayload =>
  decodeJson(text, payloadSchema, {
    code: 'input',
    what: `the event's payload in ${path}`,
    hint: 'GITHUB_EVENT_PATH must name the file that the runner wrote.',
  });

/** The error for a payload without what its event always has. */
export const missingField = (event: string, field: string): UserError =>
  new UserError('input', `the payload of the event ${event} has no ${field}`, {
    hint: 'GITHUB_EVENT_PATH must name the file that the runner wrote for this event.',
  });
