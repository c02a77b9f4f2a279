import { readFile } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { createdSchema, timeText } from '../core/time.ts';
import { readRunOrigin } from '../github/run-origin.ts';
import type { Host } from '../host/host.ts';
import { CREATED } from '../oci/config.ts';
import type { Origin } from '../oci/origin.ts';

/** What a command's inputs say about what is written into images of the run that makes them. */
export interface OriginInputs {
  /** RFC 3339, or `commit`. */
  readonly created: string | undefined;
  readonly runAnnotations: boolean;
}

/** Stands for the time of the last commit. */
const COMMIT = 'commit';

/** Reads the input `created`. Throws UserError `input`. */
export function parseCreated(text: string): string {
  if (text === COMMIT) return text;
  const result = createdSchema.safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (result.success) return result.data;
  throw new UserError('input', `created: ${JSON.stringify(text)} is not a valid time`, {
    hint: 'Write a time such as 2026-01-31T12:00:00Z, seconds since 1970, or commit for the time of the last commit.',
  });
}

/**
 * What images that are made now say of where they come from: in a workflow run its annotations, and a time where one is
 * asked for by the input or by SOURCE_DATE_EPOCH (reproducible-builds.org). Throws UserError `input`.
 */
export async function imageOrigin({ created, runAnnotations }: OriginInputs, host: Host): Promise<Origin> {
  const time = await timeOf(created, host);
  const isRun = host.kind === 'runner' && runAnnotations;
  const source = { env: host.env, readFile: (path: string) => readFile(path, 'utf8') };
  return { annotations: isRun ? await readRunOrigin(source, time) : {}, created: time ?? CREATED };
}

async function timeOf(created: string | undefined, host: Host): Promise<string | undefined> {
  if (created === COMMIT) return commitTime(host);
  if (created !== undefined) return created;
  const epoch = host.env('SOURCE_DATE_EPOCH');
  if (epoch === undefined || epoch === '') return undefined;
  const result = /^\d+$/.test(epoch) ? createdSchema.safeParse(Number(epoch)) : undefined;
  if (result?.success) return result.data;
  throw new UserError('input', `SOURCE_DATE_EPOCH is ${JSON.stringify(epoch)}, not seconds since 1970`, {
    hint: 'Set it to a number such as that of `git log -1 --format=%ct`, or unset it.',
  });
}

async function commitTime({ exec, cwd, signal }: Host): Promise<string> {
  const { exitCode, stdout, stderr } = await exec('git', ['log', '-1', '--format=%ct'], { cwd, signal });
  const seconds = Number(stdout.trim());
  if (exitCode === 0 && Number.isSafeInteger(seconds) && seconds > 0) return timeText(seconds);
  throw new UserError(
    'input',
    `created: commit: the time of the last commit in ${cwd} is not known: ${stderr.trim()}`,
    {
      hint: 'Run in a git checkout that has a commit, or give a time such as 2026-01-31T12:00:00Z.',
    },
  );
}
