import type { Progress, ProgressPart } from '../core/log.ts';
import { sizeText } from '../core/size.ts';
import { durationText } from '../core/time.ts';

/** Where a board shows itself. */
interface ProgressView {
  /** Shows all running work: a line each, and below it its parts. */
  show(lines: readonly string[]): void;
  /** Takes those lines away; called when no work is left. */
  clear(): void;
  /** Writes a line that stays. */
  print(text: string): void;
}

interface ProgressTiming {
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** Milliseconds between two `show`. */
  readonly interval: number;
  /** Milliseconds of work before the first `show`. */
  readonly delay: number;
  /** Parts of each work that are shown. */
  readonly parts: number;
  /** Work that is shown, that with most left; the rest is counted. */
  readonly works: number;
}

/** Live lines that are rewritten ten times a second move smoothly; more only costs time. Eight parts are four threads and what is still sent. */
export const LIVE = { interval: 100, delay: 0, parts: 8, works: Number.POSITIVE_INFINITY };

/**
 * A log that is read afterwards: a sign of life every ten seconds, and nothing about work shorter than that. All that is at work is in one line, which thirty
 * images of one job would make longer than anybody reads.
 */
export const SPARSE = { interval: 10_000, delay: 10_000, parts: 0, works: 4 };

interface ProgressBoard {
  start(label: string, total?: number): Progress;
}

/** Work, or a part of it. */
interface Item {
  readonly label: string;
  /** Bytes; undefined where nobody knows how many there will be. */
  readonly total: number | undefined;
  readonly begun: number;
  done: number;
  detail?: string | undefined;
}

interface Work extends Item {
  readonly parts: Set<Item>;
}

/** Milliseconds from which on a rate says something of the rest. */
const RATE_AFTER = 1000;

/**
 * `layers 40% (3 of 8), 26.7 MB of 64.1 MB, 12.3 MB/s, 3 s left`: the rate is that of all the time so far, for the one of a moment
 * jumps with every layer.
 */
function describe({ label, total, done, detail, begun }: Item, now: number): string {
  const isKnown = total !== undefined && total > 0;
  const share = isKnown ? ` ${Math.min(100, Math.floor((done / total) * 100))}%` : '';
  const parts = [`${label}${share}${detail === undefined ? '' : ` (${detail})`}`];
  if (done > 0) parts.push(isKnown ? `${sizeText(done)} of ${sizeText(total)}` : sizeText(done));
  const elapsed = now - begun;
  if (done > 0 && elapsed >= RATE_AFTER) {
    parts.push(`${sizeText(Math.round((done / elapsed) * 1000))}/s`);
    if (isKnown && done < total) parts.push(`${durationText(((total - done) * elapsed) / done)} left`);
  }
  return parts.join(', ');
}

/** Bytes that work still has to do, as far as is known: of what takes longest, most is to be told. */
const leftOf = ({ total = 0, done }: Item): number => Math.max(0, total - done);

/** The work, and below it the parts that it has in hand. */
function describeAll(work: Work, now: number, most: number): string[] {
  const shown = [...work.parts].slice(0, most).map((part) => `  ${describe(part, now)}`);
  return [describe(work, now), ...shown];
}

/** All running work of a run, shown no oftener than the timing allows. */
export function createProgressBoard(
  view: ProgressView,
  { now, interval, delay, parts, works }: ProgressTiming,
): ProgressBoard {
  const running = new Set<Work>();
  let next = 0;

  const refresh = () => {
    if (running.size === 0 || now() < next) return;
    next = now() + interval;
    const time = now();
    const rest = Math.max(0, running.size - works);
    const shown = rest > 0 ? [...running].sort((a, b) => leftOf(b) - leftOf(a)).slice(0, works) : [...running];
    view.show([
      ...shown.flatMap((work) => describeAll(work, time, parts)),
      ...(rest > 0 ? [`and ${rest} more at work`] : []),
    ]);
  };
  const begin = (work: Work) => {
    if (running.size === 0) next = Math.max(next, now() + delay);
    running.add(work);
    refresh();
  };
  const finish = (work: Work, text: string | undefined) => {
    if (!running.delete(work)) return;
    if (running.size === 0) view.clear();
    if (text !== undefined) view.print(`${text} in ${durationText(now() - work.begun)}`);
  };

  const beginPart = ({ parts: all }: Work, label: string, total: number | undefined): ProgressPart => {
    const part: Item = { label, total, begun: now(), done: 0 };
    all.add(part);
    return {
      update: (done) => {
        part.done = done;
      },
      end: () => void all.delete(part),
    };
  };

  return {
    start: (label, total) => {
      const work: Work = { label, total, begun: now(), done: 0, parts: new Set() };
      begin(work);
      return {
        update: (done, detail) => {
          work.done = done;
          work.detail = detail;
          refresh();
        },
        part: (label, total) => beginPart(work, label, total),
        end: (text) => finish(work, text),
      };
    },
  };
}
