import { countText } from '../core/count.ts';
import { markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { columns } from '../core/table.ts';
import type { Source } from '../nix/discover.ts';
import { attributeText } from '../nix/installable.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isNeeded, type Plan, type PlannedImage } from './plan.ts';
import { byReason } from './problems.ts';
import { shortReason } from './short-reason.ts';

function stateOf(image: PlannedImage, system: System): string {
  const job = image.jobs.find((candidate) => candidate.system === system);
  if (!job) return image.missing.some((lost) => lost.system === system) ? 'missing' : '–';
  if (!isNeeded(job)) return 'published';
  return job.reason === undefined ? 'build' : `build (${job.reason})`;
}

const HEADINGS = ['image', ...SYSTEMS, 'why'];

const rows = ({ images }: Plan): string[][] =>
  images.map((image) => [image.name, ...SYSTEMS.map((system) => stateOf(image, system)), plainLine(image.why)]);

/** What needs somebody: images that cannot be planned, and systems that are lost. */
const problemRows = ({ problems, images }: Plan): string[][] => [
  ...problems.map(({ name, why }) => [name, why]),
  ...images.flatMap(({ name, missing }) =>
    missing.map(({ system, why }) => [name, `loses ${system}: ${shortReason(why)}`]),
  ),
];

function totals(plan: Plan): string {
  const jobs = plan.images.flatMap((image) => image.jobs);
  const needed = jobs.filter(isNeeded).length;
  const published = jobs.filter((job) => job.published !== null).length;
  return `${countText(plan.images.length, 'image')}: ${countText(needed, 'build job')} needed, ${published} published already`;
}

/** Rows of what was left out: a package set may have thousands that do not evaluate. */
const MOST_LEFT_OUT = 20;

/** What is shown of what was left out: first what looks like an image. */
const shownOf = ({ leftOut }: Plan): string[][] =>
  byReason(leftOut)
    .slice(0, MOST_LEFT_OUT)
    .map(({ attrs, why }) => [attrs, shortReason(why)]);

function moreOf({ leftOut }: Plan): string[] {
  const rest = byReason(leftOut)
    .slice(MOST_LEFT_OUT)
    .reduce((sum, { items }) => sum + items.length, 0);
  return rest > 0 ? [`and ${rest} more`] : [];
}

/** How to go on where the plan was made by hand; the steps of a workflow hand it on by themselves. */
const nextLine = ({ to, plannedAt }: Plan): string[] =>
  to.length === 0 || plannedAt !== null
    ? []
    : [
        'next: save the plan with --json > plan.json, and publish it:',
        '  nix-images publish --plan @plan.json --build-missing',
      ];

/** What a person sees after a plan: a table of images and systems, and what was left out. */
export function planText(plan: Plan): string {
  // Why each was taken for an image is in the summary and the data: it would not fit beside the systems.
  const table = columns([HEADINGS, ...rows(plan)].map((cells) => cells.slice(0, -1)));
  const leftOut = shownOf(plan).map(([attrs = '', why = '']) => `  ${plainLine(attrs)}: ${why}`);
  const problems = problemRows(plan).map(([name, why]) => `  ${plainLine(name ?? '')}: ${plainLine(why ?? '')}`);
  return [
    ...table,
    ...(leftOut.length > 0 ? ['', 'left out', ...leftOut, ...moreOf(plan).map((more) => `  ${more}`)] : []),
    ...(problems.length > 0 ? ['', 'problems', ...problems] : []),
    '',
    totals(plan),
    ...nextLine(plan),
  ].join('\n');
}

/** The same as Markdown, for a job's summary. */
export function planSummary(plan: Plan): string {
  const table = (headings: readonly string[], body: readonly (readonly string[])[]): string =>
    markdownTable(
      headings,
      body.map((cells) => cells.map(plainMarkdown)),
    );
  const leftOut = shownOf(plan);
  const more = moreOf(plan).map((line) => `\n${line}\n`);
  return [
    `### Plan\n\n${totals(plan)}\n\n`,
    table(HEADINGS, rows(plan)),
    ...(leftOut.length > 0 ? [`\n#### Left out\n\n${table(['attribute', 'why'], leftOut)}`, ...more] : []),
    ...(problemRows(plan).length > 0 ? [`\n#### Problems\n\n${table(['image', 'why'], problemRows(plan))}`] : []),
  ].join('');
}

/** What was searched, as a person writes it. */
export const sourceText = (source: Source): string =>
  source.kind === 'flake'
    ? source.flake
    : `--file ${source.file}${source.path.length > 0 ? ` -A ${attributeText(source.path)}` : ''}`;
