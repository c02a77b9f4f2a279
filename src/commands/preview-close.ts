import { countText } from '../core/count.ts';
import { removePullHandovers } from '../github/rest/pull-handovers.ts';
import { pullStates } from '../github/rest/pull-states.ts';
import { readMarker } from '../preview/marker.ts';
import { type RemovedTags, removedText } from '../preview/preview-text.ts';
import { previewNumber } from '../prune/preview-tag.ts';
import type { AskPulls } from '../prune/prune.ts';
import type { LocationTemplate } from '../storage/location-template.ts';
import type { Places } from './places.ts';
import { type Cleaned, cleanPreviews } from './preview-clean.ts';
import { type Commenting, imagesEver, putComment } from './preview-report.ts';
import { gitHubApi } from './prune-places.ts';

/** A run of `preview`, and what it may do. */
export interface PreviewRun extends Commenting {
  readonly to: readonly LocationTemplate[];
  readonly places: Places;
  readonly token: string | undefined;
  /** Milliseconds in a second of waiting for GitHub. */
  readonly second: number;
  /** Page of the run. */
  readonly url: string;
}

/** What was removed for one pull request. */
export interface ClosedPull extends Cleaned {
  readonly number: number;
  /** Whether it was open again by then, so that nothing was done. */
  readonly isOpen: boolean;
}

/**
 * Removes the images of one closed pull request, those of its number exactly, and says so in its comment. `names` are images that the
 * comment does not know yet. Throws UserError `input` for an unknown pull request, and what its comments throw.
 */
export async function closePull(number: number, names: readonly string[], run: PreviewRun): Promise<ClosedPull> {
  if ((await run.pulls.read(number)).isOpen) return { number, isOpen: true, repositories: [], error: undefined };
  const images = [...new Set([...(await imagesEver(number, run)), ...names])];
  const askPulls: AskPulls = async (numbers) => {
    const state = (await run.pulls.read(number)).isOpen ? 'open' : 'closed';
    return new Map(numbers.map((one) => [one, one === number ? state : 'unknown']));
  };
  const cleaned = await cleanPreviews(images, { ...run, askPulls, isWatched: true });
  // Who has never heard of images here is told nothing.
  const hadAny = images.length > 0 || cleaned.repositories.some(({ removed }) => removed.length > 0);
  if (hadAny) await tellRemoved(number, images, cleaned.repositories, run);
  return { number, isOpen: false, ...cleaned };
}

/** Removes what build jobs have handed over for a closed pull request from this branch. */
export async function dropHandovers(branch: string, { host, token, second }: PreviewRun): Promise<void> {
  const api = {
    ...gitHubApi(host, token, { what: 'handovers are deleted by it', docs: 'previews.md#when-it-is-closed' }),
    second,
  };
  const removed = await removePullHandovers({ ...api, repository: host.env('GITHUB_REPOSITORY') ?? '' }, branch);
  if (removed > 0) host.log.info(`removed ${countText(removed, 'handover')} of ${branch}`);
}

async function tellRemoved(
  number: number,
  images: readonly string[],
  repositories: readonly RemovedTags[],
  run: PreviewRun,
): Promise<void> {
  // What is still there is looked for again by the next sweep.
  const state = repositories.some(({ left }) => left.length > 0) ? 'there' : 'removed';
  await putComment(number, { state, images, text: removedText(number, repositories, run.url) }, run);
}

/** Days in which comments must have been changed for a sweep to find their images. */
const SWEPT_DAYS = 90;

const DAY = 86_400_000;

/** What a sweep found: previews of pull requests that were closed without a run, or while one was on its way. */
export interface Swept extends Cleaned {
  /** The pull requests whose comment was waiting for it. */
  readonly numbers: readonly number[];
}

/**
 * Removes the previews of all closed pull requests: of the images that comments of the last 90 days name, and of `names`. It finds what the
 * run of a closed pull request has missed: GitHub starts none where the branch is in conflict, and a build may push after it.
 */
export async function sweepPreviews(names: readonly string[], now: number, run: PreviewRun): Promise<Swept> {
  const { pulls, identity, host, token, second } = run;
  const since = await pulls.commentsSince(new Date(now - SWEPT_DAYS * DAY));
  const own = since.flatMap(({ body, author, number }) => {
    const marker = readMarker(body);
    return marker?.key === identity.key && author === identity.author ? [{ marker, number }] : [];
  });
  const images = [...new Set([...names, ...own.flatMap(({ marker }) => marker.images)])].sort();
  const repository = host.env('GITHUB_REPOSITORY') ?? '';
  const api = {
    ...gitHubApi(host, token, { what: 'pull requests are asked for by it', docs: 'previews.md#when-it-is-closed' }),
    second,
  };
  const askPulls: AskPulls = (numbers) => pullStates({ ...api, repository }, numbers);
  const cleaned = await cleanPreviews(images, { ...run, askPulls, isWatched: false });
  const waiting = own.filter(({ marker }) => marker.state === 'there');
  const states = await askPulls(waiting.map(({ number }) => number));
  const closed = waiting.filter(({ number }) => states.get(number) === 'closed');
  for (const { marker, number } of closed) {
    const repositories = cleaned.repositories.map((one) => ofPull(one, number));
    await tellRemoved(number, marker.images, repositories, run);
  }
  return { ...cleaned, numbers: closed.map(({ number }) => number) };
}

/** What of a repository was the pull request's; `pr-2` is not the beginning of `pr-26`. */
function ofPull({ repository, removed, left }: RemovedTags, number: number): RemovedTags {
  const isIts = (tag: string): boolean => previewNumber(tag) === number || tag === 'pr-*';
  return { repository, removed: removed.filter(isIts), left: left.filter(({ tag }) => isIts(tag)) };
}
