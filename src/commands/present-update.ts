import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { diffText } from '../diff/report.ts';
import type { CommandResult } from '../host/command.ts';
import { changeLines, type LockChange } from '../update/lock-change.ts';
import { type ImageReport, updateBody } from '../update/pull-request.ts';

/** The pull request that holds an update. */
export interface OpenedPull {
  readonly number: number;
  readonly url: string;
  readonly branch: string;
  /** Whether GitHub merges it by itself once its checks are green. */
  readonly merges: boolean;
  /** Why it does not although that was asked for. */
  readonly whyNot: string | undefined;
}

export interface UpdateResult {
  /** Names of the files that changed, relative to the folder. */
  readonly files: readonly string[];
  readonly changes: readonly LockChange[];
  readonly images: readonly ImageReport[];
  readonly pull: OpenedPull | undefined;
  /** The pull request of an earlier update that was closed, since no image changes any more. */
  readonly closed: number | undefined;
  /** Why what is published is to be made again. */
  readonly reasons: readonly string[];
  /** RFC 3339. */
  readonly time: string;
}

export const UPDATE_OUTPUTS = {
  updated: 'Whether the lock files changed: `true` or `false`.',
  changed: 'Whether an image changed: `true` or `false`.',
  images: 'Names of the images that changed, as a JSON list.',
  pullRequest: 'Number of the pull request; empty where there is none.',
  url: 'Its address.',
  branch: 'Its branch.',
  rebuild: 'Whether what is published is to be made again although no image changed: `true` or `false`.',
  reasons: 'Why, one a line.',
  time: 'When this was found out, for the input `created` of what is made again.',
  json: 'All of it as JSON.',
} as const;

/** What an update did, as text, Markdown and outputs. */
export function presentUpdate(result: UpdateResult): CommandResult<typeof UPDATE_OUTPUTS> {
  const { files, changes, images, pull, reasons, time } = result;
  const data = { schemaVersion: 1, ...result, pull: pull ?? null, closed: result.closed ?? null };
  const outputs = {
    updated: String(files.length > 0),
    changed: String(images.length > 0),
    images: JSON.stringify(images.map(({ name }) => name)),
    pullRequest: pull === undefined ? '' : String(pull.number),
    url: pull?.url ?? '',
    branch: pull?.branch ?? '',
    rebuild: String(reasons.length > 0),
    reasons: reasons.join('\n'),
    time,
    json: JSON.stringify(data),
  };
  const failure = pull?.whyNot === undefined ? undefined : noMerge(pull.number, pull.whyNot);
  return {
    outputs,
    data,
    text: textOf(result),
    ...(changes.length > 0 ? { summary: updateBody(result, { isJobToken: false, runUrl: undefined }) } : {}),
    ...(failure === undefined ? {} : { failure }),
  };
}

const noMerge = (number: number, why: string): UserError =>
  new UserError('github', `pull request ${number} is not merged automatically: ${why}`, {
    hint:
      'GitHub merges by itself only where branch protection or a ruleset requires a check, and "Allow auto-merge" is on in the settings of ' +
      'the repository.',
    docs: 'rebuild.md#whose-token',
  });

function textOf({ files, changes, images, pull, closed, reasons }: UpdateResult): string {
  const sections = [
    files.length === 0 ? ['nothing to update: all inputs are at their newest'] : changeLines(changes),
    ...images.map(({ name, diff, notes }) => [name, ...(diff === null ? [] : [diffText(diff)]), ...notes]),
    ...(files.length > 0
      ? [[images.length === 0 ? 'no image changed' : `${countText(images.length, 'image')} changed`]]
      : []),
    ...(pull === undefined ? [] : [[`pull request ${pull.number}: ${pull.url}`]]),
    ...(closed === undefined ? [] : [[`pull request ${closed} is closed: it changes no image any more`]]),
    ...(reasons.length > 0 ? [['to be published again:', ...reasons.map((reason) => `  ${reason}`)]] : []),
  ];
  return sections.map((lines) => lines.join('\n')).join('\n\n');
}
