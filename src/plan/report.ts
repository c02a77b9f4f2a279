import { plainMarkdown } from '../core/markdown.ts';
import { plainLine, plainText } from '../core/printable.ts';
import type { Source } from '../nix/discover.ts';
import { attributeText } from '../nix/installable.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isContainer, isNeeded, type LeftOut, type Plan, type PlannedImage } from './plan.ts';
import { isWarning } from './problems.ts';

function stateOf(image: PlannedImage, system: System): string {
  const job = image.jobs.find((candidate) => candidate.system === system);
  if (!job) return image.missing.some((lost) => lost.system === system) ? 'missing' : '–';
  if (!isContainer(job)) return 'disk image';
  return isNeeded(job) ? 'build' : 'published';
}

const HEADINGS = ['image', ...SYSTEMS, 'why'];

const rows = ({ images }: Plan): string[][] =>
  images.map((image) => [image.name, ...SYSTEMS.map((system) => stateOf(image, system)), plainLine(image.why)]);

/** The first line: a message of nix may have many. */
const short = (why: string): string => plainText(why).split('\n')[0] ?? '';

/** How many there are of a thing. */
const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`;

/** What needs somebody: images that cannot be planned, and systems that are lost. */
const problemRows = ({ problems, images }: Plan): string[][] => [
  ...problems.map(({ name, why }) => [name, why]),
  ...images.flatMap(({ name, missing }) => missing.map(({ system, why }) => [name, `loses ${system}: ${short(why)}`])),
];

function totals(plan: Plan): string {
  const jobs = plan.images.flatMap((image) => image.jobs);
  const needed = jobs.filter(isNeeded).length;
  const published = jobs.filter((job) => job.published !== null).length;
  return `${count(plan.images.length, 'image')}: ${count(needed, 'build job')} needed, ${published} published already`;
}

/** Rows of what was left out: a package set may have thousands that do not evaluate. */
const MOST_LEFT_OUT = 20;

/** What is shown of what was left out: first what looks like an image. */
const shownOf = ({ leftOut }: Plan): readonly LeftOut[] =>
  [...leftOut.filter(isWarning), ...leftOut.filter((item) => !isWarning(item))].slice(0, MOST_LEFT_OUT);

const moreOf = ({ leftOut }: Plan): string[] =>
  leftOut.length > MOST_LEFT_OUT ? [`and ${leftOut.length - MOST_LEFT_OUT} more`] : [];

/** What a person sees after a plan: a table of images and systems, and what was left out. */
export function planText(plan: Plan): string {
  const table = [HEADINGS, ...rows(plan)];
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const leftOut = shownOf(plan).map(({ attr, why }) => `  ${plainLine(attr)}: ${short(why)}`);
  const problems = problemRows(plan).map(([name, why]) => `  ${plainLine(name ?? '')}: ${plainLine(why ?? '')}`);
  return [
    ...table.map(line),
    ...(leftOut.length > 0 ? ['', 'left out', ...leftOut, ...moreOf(plan).map((more) => `  ${more}`)] : []),
    ...(problems.length > 0 ? ['', 'problems', ...problems] : []),
    '',
    totals(plan),
  ].join('\n');
}

/** The same as Markdown, for a job's summary. */
export function planSummary(plan: Plan): string {
  const table = (headings: readonly string[], body: readonly (readonly string[])[]): string =>
    [headings, headings.map(() => '---'), ...body.map((cells) => cells.map(plainMarkdown))]
      .map((cells) => `| ${cells.join(' | ')} |\n`)
      .join('');
  const leftOut = shownOf(plan).map(({ attr, why }) => [attr, short(why)]);
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
