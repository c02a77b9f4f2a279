import { countText } from '../core/count.ts';
import { docsData, docsOf, hintsOf, UserError } from '../core/error.ts';
import { plainMarkdown } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import type { LeftOut } from '../plan/plan.ts';
import { publishData, publishSummary, publishText } from '../publish/report.ts';
import type { NotPublished } from './not-published.ts';
import type { PublishedImage } from './publish-image.ts';
import { publishOutputs, shownName } from './publish-outputs.ts';
import { filesData, filesSummary, filesText, type PublishedFiles } from './published-files.ts';
import { visibilityLines } from './visibility.ts';

/** What became of one image of a plan. */
export type ImageOutcome = { readonly image: PublishedImage } | { readonly files: PublishedFiles } | NotPublished;

/** What `publish` did. */
export type PublishResult =
  | { readonly kind: 'nothing'; readonly why: string }
  | { readonly kind: 'image'; readonly image: PublishedImage }
  | {
      readonly kind: 'plan';
      readonly outcomes: readonly ImageOutcome[];
      /** Broken images that are allowed to be. */
      readonly leftOut: readonly LeftOut[];
    };

type PlanPublish = Extract<PublishResult, { kind: 'plan' }>;

export function presentPublish(result: PublishResult) {
  switch (result.kind) {
    case 'nothing':
      return presentNothing(result.why);
    case 'image':
      return presentImage(result.image);
    case 'plan':
      return presentOutcomes(result);
  }
}

/** One image that was published. */
function presentImage(image: PublishedImage) {
  const { published, targets, packages } = image;
  const name = shownName(image);
  return {
    outputs: publishOutputs([image], [], image).outputs,
    data: publishData(name, published, targets),
    text: publishText(published, targets, image.form === undefined),
    summary: `${publishSummary(name, published, targets)}${packages.length > 0 ? `\n${visibilityLines(packages)}` : ''}`,
  };
}

/** A run in which nothing is to be published, such as a fork's pull request. */
const presentNothing = (why: string) => ({
  outputs: publishOutputs([], [], undefined).outputs,
  data: null,
  text: why,
  summary: `${why}\n`,
});

/** What became of the images of a plan. */
function sortedOutcomes({ outcomes }: PlanPublish) {
  const images = outcomes.flatMap((outcome) => ('image' in outcome ? [outcome.image] : []));
  const files = outcomes.flatMap((outcome) => ('files' in outcome ? [outcome.files] : []));
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  return { images, files, failed, sole: images.length === 1 && failed.length === 0 ? images[0] : undefined };
}

/** What is to be said of outputs that are too long for a job; undefined where they are not. */
export function shortOutputs(result: PublishResult): string | undefined {
  if (result.kind !== 'plan') return undefined;
  const { images, files, sole } = sortedOutcomes(result);
  const { shortened } = publishOutputs(images, files, sole);
  if (shortened.length === 0) return undefined;
  const [json, ...left] = shortened;
  const rest = left.length > 0 ? `, and ${left.join(' and ')} ${left.length > 1 ? 'are' : 'is'} empty` : '';
  return (
    `the output ${json} has only the digests${rest}: GitHub fails a job with more than 1 MiB of outputs, and those of ` +
    `${countText(images.length, 'image')} would exceed it; the output digests has every image`
  );
}

function presentOutcomes(result: PlanPublish) {
  const { outcomes, leftOut } = result;
  const { images, files, failed, sole } = sortedOutcomes(result);
  const results = images.map(presentImage);
  const list = lines(failed.map(({ name, error }) => [name, error.message]));
  return {
    outputs: publishOutputs(images, files, sole).outputs,
    data: {
      schemaVersion: 1,
      images: results.map(({ data }) => data),
      ...(files.length > 0 ? { files: files.map(filesData) } : {}),
      failed: failed.map(({ name, error }) => ({
        name,
        code: error.code,
        message: error.message,
        ...docsData(error),
      })),
      leftOut: leftOut.map(({ attr, why }) => ({ attr, why })),
    },
    text: [
      ...results.map(({ text }, at) => `${images[at] ? shownName(images[at]) : ''}\n${text}`),
      ...files.map((one) => `${one.name}: files\n${filesText(one)}`),
      ...totalOf(images),
    ].join('\n\n'),
    // What failed goes first: the summary of hundreds of images is cut at its end.
    summary: [
      ...(failed.length > 0 ? [`### Not published\n\n${list}`] : []),
      ...(leftOut.length > 0
        ? [`### Left out of the plan\n\n${lines(leftOut.map(({ attr, why }) => [attr, why]))}`]
        : []),
      ...results.map(({ summary }) => summary),
      ...files.map(filesSummary),
    ].join('\n'),
    ...(failed.length > 0 ? { failure: failureOf(failed, outcomes.length) } : {}),
  };
}

/** Of several images, what they came to. */
function totalOf(images: readonly PublishedImage[]): string[] {
  if (images.length < 2) return [];
  const sent = images
    .flatMap(({ published }) => published.platforms)
    .reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  return [`${countText(images.length, 'image')} published, ${sizeText(sent)} sent`];
}

const lines = (items: readonly (readonly [string, string])[]): string =>
  items.map(([what, why]) => `- ${plainMarkdown(what)}: ${plainMarkdown(why)}\n`).join('');

function failureOf(failed: readonly { readonly name: string; readonly error: UserError }[], all: number): UserError {
  const [first] = failed;
  if (first && all === 1) return first.error;
  const list = failed.map(({ name, error }) => `\n  ${name}: ${error.message}`).join('');
  const errors = failed.map(({ error }) => error);
  return new UserError('platforms', `${failed.length} of ${all} images are not published:${list}`, {
    hint: hintsOf(errors) ?? 'See the log.',
    docs: docsOf(errors),
  });
}
