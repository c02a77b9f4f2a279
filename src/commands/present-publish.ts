import { countText } from '../core/count.ts';
import { docsData, docsOf, hintsOf, UserError } from '../core/error.ts';
import { plainMarkdown } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import type { LeftOut } from '../plan/plan.ts';
import { digestReferences, imageJson, imageMetadata } from '../publish/outputs.ts';
import { failedDestinations, heldOf, publishData, publishSummary, publishText, references } from '../publish/report.ts';
import type { NotPublished } from './not-published.ts';
import type { PublishedImage } from './publish-image.ts';
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
    outputs: outputsOf([image], [], image),
    data: publishData(name, published, targets),
    text: publishText(published, targets, image.form === undefined),
    summary: `${publishSummary(name, published, targets)}${packages.length > 0 ? `\n${visibilityLines(packages)}` : ''}`,
  };
}

/** A disk may be published in several forms, under one name. */
const shownName = ({ name, form }: PublishedImage): string => (form === undefined ? name : `${name} as=${form}`);

/** The outputs of a publish; `sole` is the image, where one was to be published. */
function outputsOf(
  images: readonly PublishedImage[],
  files: readonly PublishedFiles[],
  sole: PublishedImage | undefined,
) {
  const places = files.flatMap(({ targets }) => targets);
  const byName = <T>(of: (image: PublishedImage) => T): string =>
    JSON.stringify(Object.fromEntries(images.map((image) => [shownName(image), of(image)])));
  const digestOf = ({ published, targets }: PublishedImage): string => heldOf(published, targets).digest;
  return {
    digest: sole ? digestOf(sole) : '',
    digests: byName(digestOf),
    references: images.flatMap(({ targets }) => references(targets)).join('\n'),
    digestReferences: images.flatMap(({ published, targets }) => digestReferences(published, targets)).join('\n'),
    files: places.flatMap((place) => place.files).join('\n'),
    failedDestinations: [
      ...images.flatMap(({ targets }) => failedDestinations(targets)),
      ...places.flatMap(({ name, failure }) => (failure === undefined ? [] : [name])),
    ].join('\n'),
    json: byName(({ published, targets }) => imageJson(published, targets)),
    metadata: JSON.stringify(sole ? imageMetadata(sole.published, sole.targets) : {}),
  };
}

/** A run in which nothing is to be published, such as a fork's pull request. */
const presentNothing = (why: string) => ({
  outputs: outputsOf([], [], undefined),
  data: null,
  text: why,
  summary: `${why}\n`,
});

function presentOutcomes({ outcomes, leftOut }: Extract<PublishResult, { kind: 'plan' }>) {
  const images = outcomes.flatMap((outcome) => ('image' in outcome ? [outcome.image] : []));
  const files = outcomes.flatMap((outcome) => ('files' in outcome ? [outcome.files] : []));
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  const results = images.map(presentImage);
  const list = lines(failed.map(({ name, error }) => [name, error.message]));
  return {
    outputs: outputsOf(images, files, images.length === 1 && failed.length === 0 ? images[0] : undefined),
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
    summary: [
      ...results.map(({ summary }) => summary),
      ...files.map(filesSummary),
      ...(failed.length > 0 ? [`### Not published\n\n${list}`] : []),
      ...(leftOut.length > 0
        ? [`### Left out of the plan\n\n${lines(leftOut.map(({ attr, why }) => [attr, why]))}`]
        : []),
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
