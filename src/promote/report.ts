import { codeMarkdown, markdownTable, plainMarkdown } from '../core/markdown.ts';
import { plainLine } from '../core/printable.ts';
import { columns, truncate } from '../core/table.ts';
import type { Digest } from '../oci/digest.ts';
import { shortDigest } from '../oci/digest.ts';
import type { ChannelHistory, HistoryEntry } from './history.ts';
import type { PromotedChannel } from './promote-image.ts';

/** What `promote` and `rollback` did. */
export interface PromotionResult {
  readonly kind: 'promote' | 'rollback';
  readonly digest: Digest;
  /** Where the image was named. */
  readonly from: string;
  readonly channels: readonly PromotedChannel[];
  /** How many signatures, SBOMs and the like went along to other repositories. */
  readonly referrers: number;
}

/** Columns of a terminal that nobody has made larger. */
const WIDTH = 80;
const GAP = 2;

const nameOf = ({ name, channel }: PromotedChannel): string => `${name}:${channel}`;

function outcomeText({ before, outcome, newer }: PromotedChannel): string {
  if (outcome === 'same') return 'means it already';
  if (outcome === 'left') return `not moved: the newer run ${newer} has moved it`;
  return before === null ? 'new' : `moved from ${shortDigest(before)}`;
}

/** What was promoted, for a terminal. */
export const promotionText = ({ digest, channels }: PromotionResult): string =>
  [digest, ...channels.map((channel) => `${nameOf(channel)}: ${outcomeText(channel)}`)].map(plainLine).join('\n');

/** The same as Markdown, for a job's summary. */
export const promotionSummary = ({ kind, digest, from, channels }: PromotionResult): string =>
  [
    `### ${kind === 'promote' ? 'Promoted' : 'Rolled back to'} ${codeMarkdown(shortDigest(digest))}`,
    '',
    `From ${codeMarkdown(from)}, ${codeMarkdown(digest)}`,
    '',
    markdownTable(
      ['channel', 'outcome', 'before'],
      channels.map((channel) => [
        codeMarkdown(nameOf(channel)),
        plainMarkdown(outcomeText(channel)),
        channel.before === null ? '–' : codeMarkdown(channel.before),
      ]),
    ),
  ].join('\n');

/** The same as data, for `--json`. */
export const promotionData = (result: PromotionResult) => ({ schemaVersion: 1, ...result });

/** Channels that mean the image now, as `docker pull` takes them. */
export const channelReferences = (channels: readonly PromotedChannel[]): string[] =>
  channels
    .filter(({ outcome }) => outcome !== 'left')
    .map((channel) => plainLine(nameOf(channel).replace(/^docker:\/\//, '')));

const HEADINGS = ['digest', 'when', 'how', 'commit', 'run', 'from'] as const;

/** Digits of a commit that tell it apart, as git shows it. */
const COMMIT_DIGITS = 7;
/** `2026-01-31 12:00` of `2026-01-31T12:00:00Z`. */
const MINUTES = 16;

const whenText = (time: string): string => `${new Date(time).toISOString().slice(0, MINUTES).replace('T', ' ')}`;

/** The last part of a reference, which tells channels of one image apart: `edge`, `sha256:0123456789ab`. */
const sourceText = (from: string): string =>
  from.includes('@') ? shortDigest(from.slice(from.lastIndexOf('@') + 1)) : from.slice(from.lastIndexOf(':') + 1);

function cells({ digest, promotion, isThere, commit }: HistoryEntry): string[] {
  return [
    shortDigest(digest),
    promotion ? whenText(promotion.time) : '–',
    `${promotion?.kind ?? 'not recorded'}${isThere ? '' : ' (gone)'}`,
    commit?.slice(0, COMMIT_DIGITS) ?? '–',
    promotion?.run?.id ?? '–',
    promotion ? sourceText(promotion.from) : '–',
  ].map(plainLine);
}

/** The history of a channel in a terminal's width: the newest first, marked as what it means now. Times are UTC. */
export function historyText({ channel, entries, hasMore }: ChannelHistory): string {
  const rows = entries.map(cells);
  const lines = columns([[...HEADINGS], ...rows]).map((line) => truncate(line, WIDTH - GAP));
  return [
    plainLine(channel),
    ...lines.map((line, at) => `${at === 1 ? '* ' : '  '}${line}`),
    ...(hasMore ? ['older ones: --limit'] : []),
  ].join('\n');
}

/** The same as Markdown, with who did it. */
export const historySummary = ({ channel, entries, hasMore }: ChannelHistory): string =>
  [
    `### ${codeMarkdown(channel)}`,
    '',
    markdownTable(
      [...HEADINGS, 'by'],
      entries.map((entry) => [
        ...cells(entry).map((cell) => (cell === '–' ? cell : codeMarkdown(cell))),
        entry.promotion?.by === undefined ? '–' : codeMarkdown(entry.promotion.by),
      ]),
    ),
    ...(hasMore ? ['', 'There are older ones.'] : []),
  ].join('\n');

/** The same as data, for `--json`; null where it is not known. */
export const historyData = ({ channel, entries, hasMore }: ChannelHistory) => ({
  schemaVersion: 1,
  channel,
  entries: entries.map(({ digest, promotion, isThere, commit, version }) => ({
    digest,
    kind: promotion?.kind ?? null,
    time: promotion?.time ?? null,
    from: promotion?.from ?? null,
    previous: promotion?.previous?.digest ?? null,
    run: promotion?.run ?? null,
    by: promotion?.by ?? null,
    commit,
    version,
    isThere,
  })),
  hasMore,
});
