import { codeMarkdown, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import type { ImageDiff } from '../diff/image-diff.ts';
import { changesMarkdown, factsMarkdown } from '../diff/markdown.ts';
import { type OverBudget, overBudgetText } from './budget.ts';

/** One image of a pull request, as its comment shows it. */
export interface PreviewImage {
  readonly name: string;
  /** Whether it is the disk of a virtual machine. Default: false. */
  readonly isDisk?: boolean;
  /** What `docker pull` or `nix-images pull` takes: `ghcr.io/org/app:pr-7`; null where nothing is published. */
  readonly pull: string | null;
  /** `ghcr.io/org/app@sha256:…`. */
  readonly byDigest: string | null;
  /** Against the base branch, or nothing where `note` says why that cannot be; null where nothing is known of the image. */
  readonly diff: ImageDiff | null;
  readonly note: string | null;
  readonly over: readonly OverBudget[];
}

/** What the pull request's images came to. */
export interface Preview {
  readonly number: number;
  /** The newest commit on the pull request's own branch. */
  readonly commit: string | null;
  /** Page of the run. */
  readonly runUrl: string;
  /** Why nothing is published, where that is so: a fork's pull request. */
  readonly unpublished: string | null;
  readonly images: readonly PreviewImage[];
}

/** How much is shown. */
interface Detail {
  /** Rows of changes for each image. */
  readonly rows: number;
  /** Whether the largest packages are shown. */
  readonly biggest: boolean;
  /** Whether the changes are shown at all. */
  readonly changes: boolean;
  /** Images that are shown. */
  readonly images: number;
}

/** From everything down to what says the least; whole rows, then whole tables, then whole images are left out. */
const DETAILS: readonly Omit<Detail, 'images'>[] = [
  ...[10_000, 1000, 500, 200, 100, 50, 25, 10, 3].map((rows) => ({ rows, biggest: true, changes: true })),
  { rows: 3, biggest: false, changes: true },
  { rows: 0, biggest: false, changes: false },
];

/** A text, and whether something was left out of it. */
interface Fitted {
  readonly text: string;
  readonly isCut: boolean;
}

/**
 * The text of a comment or a job summary, of fewer than `limit` characters: every table, fence and tag in it is whole, for what is too much
 * is not written in the first place. `rest` tells where the whole report is, where something was left out.
 */
export function previewText(preview: Preview, limit: number, rest: string): Fitted {
  const all = preview.images.length;
  for (const detail of DETAILS) {
    const isCut = detail !== DETAILS[0];
    const text = render(preview, { ...detail, images: all }, isCut ? rest : undefined);
    if (text.length < limit) return { text, isCut };
  }
  const least = { rows: 0, biggest: false, changes: false };
  let [fits, tooMany] = [0, all];
  while (tooMany - fits > 1) {
    const half = Math.floor((fits + tooMany) / 2);
    if (render(preview, { ...least, images: half }, rest).length < limit) fits = half;
    else tooMany = half;
  }
  return { text: render(preview, { ...least, images: fits }, rest), isCut: true };
}

function render(preview: Preview, detail: Detail, rest: string | undefined): string {
  const { number, commit, runUrl, unpublished, images } = preview;
  const more = images.length - detail.images;
  const parts = [
    `## Images of pull request ${number}\n`,
    `${commit === null ? 'Built' : `Commit ${codeMarkdown(commit.slice(0, 12))}, built`} by [this run](${runUrl}).\n`,
    ...(unpublished === null ? [] : [`${plainMarkdown(unpublished)}\n`]),
    ...images.slice(0, detail.images).map((image) => imageText(image, detail)),
    ...(more > 0 ? [`and ${more} more\n`] : []),
    ...(rest === undefined ? [] : [`_Shortened._ ${rest}\n`]),
  ];
  return parts.join('\n');
}

function imageText({ name, isDisk, pull, byDigest, diff, note, over }: PreviewImage, detail: Detail): string {
  const program = isDisk ? 'nix-images pull' : 'docker pull';
  const file = isDisk ? ' disk.raw' : '';
  return [
    `### ${plainMarkdown(name)}\n`,
    ...(pull === null ? [] : [`\`\`\`sh\n${program} ${plainLine(pull)}${file}\n\`\`\`\n`]),
    ...(byDigest === null ? [] : [`By digest: ${codeMarkdown(byDigest)}\n`]),
    ...over.map((one) => `**Over budget:** ${plainMarkdown(overBudgetText(one))}\n`),
    ...(note === null ? [] : [`${plainMarkdown(note)}\n`]),
    ...(diff === null ? [] : [comparison(diff, detail, note === null)]),
  ].join('\n');
}

function comparison(diff: ImageDiff, { rows, biggest, changes }: Detail, isCompared: boolean): string {
  const digests = diff.platforms.map(({ new: now }) => (now?.digest ? codeMarkdown(now.digest) : ''));
  const facts = factsMarkdown(diff, digests.some((cell) => cell !== '') ? [['digest', ...digests]] : []);
  const isNew = diff.platforms.every(({ old }) => old === null);
  const against = isNew
    ? 'New: the base branch has no such image.'
    : `Compared with ${codeMarkdown(diff.old.reference.replace(/^docker:\/\//, ''))}:`;
  return [
    ...(isCompared ? [`${against}\n`] : []),
    facts,
    ...(changes && !isNew ? [changesMarkdown(diff, { rows, biggest })] : []),
  ].join('\n');
}

/** What was removed of one repository, when the pull request was closed. */
export interface RemovedTags {
  /** As a person writes it: `ghcr.io/org/app`. */
  readonly repository: string;
  readonly removed: readonly string[];
  /** What is still there, and why. */
  readonly left: readonly { readonly tag: string; readonly why: string }[];
}

/** The text of the comment once the pull request is closed. */
export function removedText(number: number, repositories: readonly RemovedTags[], runUrl: string): string {
  const left = repositories.flatMap((one) => one.left.map((tag) => ({ ...tag, repository: one.repository })));
  const removed = repositories.filter((one) => one.removed.length > 0);
  const lines = [
    ...removed.map((one) => `- ${codeMarkdown(one.repository)}: ${one.removed.map(codeMarkdown).join(', ')}\n`),
    ...(removed.length === 0 ? ['- nothing: no tag of it was there\n'] : []),
  ];
  return [
    `## Images of pull request ${number}\n`,
    `The pull request is closed, so [this run](${runUrl}) removed:\n`,
    lines.join(''),
    ...(left.length === 0
      ? []
      : [
          'Still there:\n',
          left
            .map(({ repository, tag, why }) => `- ${codeMarkdown(`${repository}:${tag}`)}: ${plainMarkdown(why)}\n`)
            .join(''),
        ]),
  ].join('\n');
}
