import { countText } from '../core/count.ts';
import { markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { sizeText } from '../core/size.ts';
import { sum } from '../core/sum.ts';
import { columns } from '../core/table.ts';
import type { LayerOutcome, LayerWay } from './layer-outcome.ts';
import { whyText } from './layer-reason.ts';

const HEADINGS = ['layer', 'unpacked', 'compressed', 'sent', 'rate', 'why'];

/** Columns of numbers. */
const NUMBERS = [1, 2, 3, 4];

/** Layers that were made and have a row each, the largest; the others share one. */
const MOST_ROWS = 20;

/** Milliseconds below which a rate says nothing: clocks and disks answer in steps. */
const LEAST_FOR_RATE = 10;

const MILLISECONDS = 1000;

const TOGETHER: Readonly<Record<Exclude<LayerWay, 'made'>, string>> = {
  reused: 'reused',
  copied: 'mounted or copied as they are',
  shared: 'of other images of this run',
};

/** What is shown of the layers of one image; `bytesSent` is all that was sent of it, over all destinations. */
export interface ShownLayers {
  readonly outcomes?: readonly LayerOutcome[] | undefined;
  readonly bytesSent: number;
}

/** The table as text; empty where every layer was reused, for then there is nothing to tell. */
export function layerText(shown: ShownLayers): string {
  const rows = rowsOf(shown);
  return rows.length === 0
    ? ''
    : columns(
        rows.map((cells) => cells.map(plainLine)),
        NUMBERS,
      ).join('\n');
}

/** The same as Markdown. */
export function layerSummary(shown: ShownLayers): string {
  const [headings, ...rows] = rowsOf(shown).map((cells) => cells.map(plainMarkdown));
  return headings === undefined ? '' : markdownTable(headings, rows);
}

/** The same as data, of every layer from the lowest; undefined where nobody made any. Sizes in bytes. */
export const layerData = ({ outcomes }: ShownLayers) =>
  outcomes?.map(({ why, unpackedSize, ...outcome }) => ({
    ...outcome,
    unpackedSize: unpackedSize ?? null,
    why: why ?? null,
  }));

function rowsOf({ outcomes = [], bytesSent }: ShownLayers): string[][] {
  if (outcomes.every(({ way }) => way === 'reused')) return [];
  const made = outcomes
    .filter(({ way }) => way === 'made')
    .sort((a, b) => (b.unpackedSize ?? 0) - (a.unpackedSize ?? 0));
  const others = made.slice(MOST_ROWS);
  const ways = Object.entries(TOGETHER).map(([way, words]) => ({
    words,
    layers: outcomes.filter((one) => one.way === way),
  }));
  const rest = bytesSent - sum(outcomes.map((one) => one.bytesSent));
  const rows = [
    HEADINGS,
    ...made.slice(0, MOST_ROWS).map(madeRow),
    ...[{ words: 'new', layers: others }, ...ways]
      .filter(({ layers }) => layers.length > 0)
      .map(({ words, layers }) => [`${countText(layers.length, 'layer')} ${words}`, ...sizes(layers), '', '']),
    ...(rest > 0 ? [['config and manifest', '', '', sizeText(rest), '', '']] : []),
    ['total', ...sizes(outcomes).slice(0, 2), sizeText(bytesSent), '', ''],
  ];
  // That there is no earlier image is said once, in the log.
  const isNews = made.some(({ why }) => why !== undefined && why.kind !== 'first');
  return isNews ? rows : rows.map((cells) => cells.slice(0, -1));
}

function madeRow(outcome: LayerOutcome): string[] {
  const { label, unpackedSize, milliseconds, why } = outcome;
  const rate =
    unpackedSize === undefined || milliseconds < LEAST_FOR_RATE
      ? ''
      : `${sizeText(Math.round((unpackedSize / milliseconds) * MILLISECONDS))}/s`;
  return [label, ...sizes([outcome]), rate, why === undefined ? '' : whyText(why)];
}

/** Unpacked, compressed and sent. */
function sizes(layers: readonly LayerOutcome[]): string[] {
  const known = layers.flatMap(({ unpackedSize }) => unpackedSize ?? []);
  return [
    known.length === layers.length ? sizeText(sum(known)) : 'unknown',
    sizeText(sum(layers.map(({ size }) => size))),
    sizeText(sum(layers.map(({ bytesSent }) => bytesSent))),
  ];
}
