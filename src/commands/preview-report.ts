import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import type { Job } from '../github/job.ts';
import type { PullRequests } from '../github/rest/pull-requests.ts';
import type { Host } from '../host/host.ts';
import type { Marker } from '../preview/marker.ts';
import { type Preview, type PreviewImage, previewText } from '../preview/preview-text.ts';
import { ownComments, putSticky, type StickyOutcome } from '../preview/sticky.ts';
import { artifactsOf } from './github.ts';

/** Characters below which a comment stays; GitHub takes 65,536, and counts them in a way of its own. */
const COMMENT_LIMIT = 60_000;

/** GitHub takes 1 MiB for the summary of a step. */
export const SUMMARY_LIMIT = 1_000_000;

/** Days that the whole report is kept, where a comment is too small for it. */
const REPORT_DAYS = 30;

/** Who comments with a job's own token. */
export const JOB_LOGIN = 'github-actions[bot]';

/** What tells the comments of a run from those of others. */
interface CommentIdentity {
  readonly key: string;
  readonly run: string;
  readonly attempt: number;
  readonly author: string;
}

/** The key of a comment: what a person calls it, else what is the same in all runs of a workflow and in no other. */
export function commentKey(name: string | undefined, to: readonly string[], { env }: Pick<Host, 'env'>): string {
  if (name !== undefined) return name;
  const parts = [env('GITHUB_WORKFLOW') ?? '', ...to];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 12);
}

export interface Commenting {
  readonly pulls: PullRequests;
  readonly identity: CommentIdentity;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly host: Host;
}

/** Writes the comment of a pull request, and the whole report into an artifact where the comment has no room for it. */
export async function commentPreview(preview: Preview, job: Job, commenting: Commenting): Promise<StickyOutcome> {
  const { host, identity } = commenting;
  const { text: first, isCut } = previewText(preview, COMMENT_LIMIT, '');
  const text = isCut
    ? previewText(preview, COMMENT_LIMIT, await uploadReport(preview, job, identity.key, host)).text
    : first;
  const images = await imagesEver(preview.number, commenting);
  const now = preview.images.filter(isPublished).map(({ name }) => name);
  return await putComment(
    preview.number,
    { state: 'there', images: [...new Set([...images, ...now])], text },
    commenting,
  );
}

/** Names of the images that earlier runs have published for a pull request, as its comment knows them. */
export async function imagesEver(
  number: number,
  { pulls, identity }: Pick<Commenting, 'pulls' | 'identity'>,
): Promise<string[]> {
  const own = ownComments(await pulls.comments(number).list(), identity);
  return [...new Set(own.flatMap(({ marker }) => marker.images))];
}

const isPublished = ({ byDigest }: PreviewImage): boolean => byDigest !== null;

/** Writes a text into the comment of a pull request. Throws UserError as `putSticky` does. */
export async function putComment(
  number: number,
  { text, ...more }: Pick<Marker, 'state' | 'images'> & { readonly text: string },
  { pulls, identity: { author, ...identity }, clock, host }: Commenting,
): Promise<StickyOutcome> {
  const outcome = await putSticky(pulls.comments(number), { marker: { ...identity, ...more }, text, author }, clock);
  if (outcome.kind === 'newer')
    host.log.info(`the comment on pull request ${number} is of a newer run, and left alone`);
  if (outcome.author !== author) {
    host.log.warn(
      `comments are written as ${outcome.author}: set the input author to it, so that they are found at once`,
    );
  }
  return outcome;
}

/** Uploads the whole report, and gives the sentence that says where it is. Nothing fails for want of it, for the summary has more. */
async function uploadReport(preview: Preview, { attempt }: Job, key: string, host: Host): Promise<string> {
  const safe = key.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 100);
  const name = `preview-${preview.number}-${safe}-${attempt}.md`;
  const file = join(await host.tempDir(), name);
  await writeFile(file, previewText(preview, Number.POSITIVE_INFINITY, '').text);
  try {
    const { id } = await artifactsOf(host).upload(name, file, { retentionDays: REPORT_DAYS });
    return `The whole report is [an artifact of the run](${preview.runUrl}/artifacts/${id}).`;
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    host.log.warn(`cannot upload the whole report: ${error.message}`);
    return 'The summary of the run has more of it.';
  }
}
