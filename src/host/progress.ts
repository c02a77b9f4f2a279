import type { Progress } from '../core/log.ts';

/** Where a board shows itself. */
interface ProgressView {
  /** Shows all running work in one line. */
  show(text: string): void;
  /** Takes that line away; called when no work is left. */
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
}

/** A live line that is rewritten ten times a second moves smoothly; more only costs time. */
export const LIVE = { interval: 100, delay: 0 };

/** A log that is read afterwards: a sign of life every ten seconds, and nothing about work shorter than that. */
export const SPARSE = { interval: 10_000, delay: 10_000 };

interface ProgressBoard {
  start(label: string, total?: number): Progress;
}

interface Work {
  readonly label: string;
  readonly total: number | undefined;
  done: number;
  detail: string | undefined;
}

/** `layers 40% (3 of 8)`: share where the total is known, the detail where there is one, else the bare count. */
const describe = ({ label, total, done, detail }: Work): string => {
  const share = total === undefined || total <= 0 ? undefined : Math.min(100, Math.floor((done / total) * 100));
  const parts = [label];
  if (share !== undefined) parts.push(`${share}%`);
  if (detail !== undefined) parts.push(share === undefined ? detail : `(${detail})`);
  else if (share === undefined && done > 0) parts.push(String(done));
  return parts.join(' ');
};

/** All running work of a run, shown no oftener than the timing allows. */
export const createProgressBoard = (view: ProgressView, { now, interval, delay }: ProgressTiming): ProgressBoard => {
  const running = new Set<Work>();
  let next = 0;

  const refresh = () => {
    if (running.size === 0 || now() < next) return;
    next = now() + interval;
    view.show([...running].map(describe).join(' · '));
  };
  const begin = (work: Work) => {
    if (running.size === 0) next = Math.max(next, now() + delay);
    running.add(work);
    refresh();
  };
  const finish = (work: Work, text: string | undefined) => {
    if (!running.delete(work)) return;
    if (running.size === 0) view.clear();
    if (text !== undefined) view.print(text);
  };

  return {
    start: (label, total) => {
      const work: Work = { label, total, done: 0, detail: undefined };
      begin(work);
      return {
        update: (done, detail) => {
          work.done = done;
          work.detail = detail;
          refresh();
        },
        end: (text) => finish(work, text),
      };
    },
  };
};
