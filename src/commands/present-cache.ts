import type { ServedStatistics } from '../cache/substituter/statistics.ts';
import { countText } from '../core/count.ts';
import { markdownTable } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import { durationText } from '../core/time.ts';
import type { EndedCache } from './cache-process.ts';
import { type Saved, savedText } from './cache-saving.ts';

/** What the end of the job came to. */
export interface CacheEnd {
  readonly ended: EndedCache;
  /** Undefined where nothing was to be saved. */
  readonly saved: Saved | undefined;
}

const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : Math.round((100 * part) / whole));

/** What a substituter did, in one line. */
export function servedText({ paths, bytes, secondsSaved, lost, bytesFetched, bytesInVain }: ServedStatistics): string {
  const vain = shareOf(bytesInVain, bytesFetched);
  const missed = lost === 0 ? '' : `; ${countText(lost, 'path')} could not be served`;
  const saved = `${durationText(secondsSaved * 1000)} of builds saved`;
  return `served ${countText(paths, 'path')} (${sizeText(bytes)}), ${saved}; ${vain} % of ${sizeText(bytesFetched)} fetched in vain${missed}`;
}

const UNKNOWN = 'nothing is known of what the cache served';

/** What a job took from the cache and gave to it, as lines of its log. */
export function jobText(end: CacheEnd | undefined): string {
  if (end === undefined) return '';
  const { ended, saved } = end;
  const served = ended.statistics === undefined ? (ended.wasThere ? UNKNOWN : []) : servedText(ended.statistics);
  return [served, saved === undefined ? [] : savedText(saved)].flat().join('\n');
}

/** The same for the job's summary; nothing where the job had nothing to do with the cache. */
export function jobSummary(end: CacheEnd | undefined): { readonly summary?: string } {
  const statistics = end?.ended.statistics;
  const saved = end?.saved;
  const rows = [
    statistics === undefined
      ? []
      : [
          [
            'From the cache',
            countText(statistics.paths, 'path'),
            sizeText(statistics.bytes),
            `${durationText(statistics.secondsSaved * 1000)} of builds saved`,
          ],
          [
            'Asked for',
            `${shareOf(statistics.hits, statistics.hits + statistics.misses)} % found`,
            sizeText(statistics.bytesFetched),
            `${shareOf(statistics.bytesInVain, statistics.bytesFetched)} % fetched in vain`,
          ],
        ],
    saved === undefined || saved.paths === 0
      ? []
      : [['Stored', countText(saved.paths, 'path'), sizeText(saved.bytes), countText(saved.packs, 'pack')]],
  ].flat();
  if (rows.length === 0) return {};
  return { summary: `### Cache\n\n${markdownTable(['', 'Paths', 'Size', ''], rows)}\n` };
}
