import type { ClientLog } from './client-log.ts';
import type { TransferReport } from './transfer.ts';

/** What became of one transfer, as its report and the client's log tell together. */
export type Verdict =
  /** `done`: saved, or found. `missing`: there is no such entry. */
  | { readonly kind: 'done' | 'missing' }
  /** Another upload has the key; whether it has come to its end is not known. */
  | { readonly kind: 'taken' }
  /** All is sent, but the service did not confirm it. */
  | { readonly kind: 'unconfirmed'; readonly why: string }
  | { readonly kind: 'read-only'; readonly why: string }
  | { readonly kind: 'limited'; readonly seconds: number | undefined }
  /** This machine has no space left. */
  | { readonly kind: 'full' }
  /** `isDown`: the service, or the way to it, does not work; the next transfer would fare no better. */
  | { readonly kind: 'failed'; readonly why: string; readonly isDown: boolean };

interface Rule {
  readonly matches: RegExp;
  readonly verdict: (match: RegExpExecArray) => Verdict;
}

const failed = (why: string, isDown: boolean): Verdict => ({ kind: 'failed', why, isDown });

/**
 * The words are those of @actions/cache 6.3.0. It swallows its errors and returns -1 or nothing whatever the reason; some reasons
 * stand in a debug line alone, which it writes whether or not the runner shows it. The first rule that matches is it.
 */
const RULES: readonly Rule[] = [
  { matches: /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/i, verdict: () => ({ kind: 'full' }) },
  {
    matches: /your rate limit will reset in (\d+) seconds/,
    verdict: ([, seconds]) => ({ kind: 'limited', seconds: Number(seconds) }),
  },
  { matches: /Rate limited: |\(429\)/, verdict: () => ({ kind: 'limited', seconds: undefined }) },
  {
    matches: /cache write denied: ?(.*)/,
    verdict: ([, why = '']) => ({ kind: 'read-only', why: why || 'this run may only read caches' }),
  },
  {
    matches: /Cache save skipped: the effective cache-mode '(\w+)'/,
    verdict: ([, mode]) => ({ kind: 'read-only', why: `the mode of the cache is ${mode}` }),
  },
  {
    matches: /Cache storage quota has been hit/,
    verdict: () => ({ kind: 'read-only', why: "the account's budget for caches is spent" }),
  },
  { matches: /already exists|\(409\)/, verdict: () => ({ kind: 'taken' }) },
  { matches: /cache read denied: ?(.*)/, verdict: ([, why]) => failed(why || 'this run may not read caches', true) },
  // Version 1, as on GitHub Enterprise Server.
  {
    matches: /(Cache service responded with (?!5)\d+)/,
    verdict: ([, why = '']) => failed(why, true),
  },
  // Runs for closed pull requests get such answers (actions/cache 478).
  {
    matches: /Received non-retryable error: (Failed request: \(40[13]\).*)/,
    verdict: ([, why = '']) => failed(why, true),
  },
  {
    matches: /Failed to FinalizeCacheEntryUpload: (.*)|Unable to finalize cache/,
    verdict: ([, why = 'the service did not take it']) => ({ kind: 'unconfirmed', why }),
  },
  { matches: /Unable to make request: (\w+)/, verdict: ([, code]) => failed(`the connection failed (${code})`, true) },
  { matches: /(Failed to make request after \d+ attempts: .*)/, verdict: ([, why = '']) => failed(why, true) },
  { matches: /Failed to (?:save|restore): (.*)/, verdict: ([, why = '']) => failed(why, false) },
  {
    matches: /Unable to reserve cache|Cache reservation failed: (.*)/,
    verdict: ([, why]) => failed(why ?? 'the service did not take it', false),
  },
];

/** Lines of the client about a single try, after which it goes on. */
const PASSING = /^Attempt \d+ of \d+ failed/;

/** What the client tried, and what it said of it. */
export interface Said {
  readonly report: TransferReport;
  readonly log: ClientLog;
  /** What tar and zstd wrote to standard error. */
  readonly stderr: string;
}

/** Undefined when the log has no reason for a failure. */
function reasonIn({ report, log, stderr }: Said): Verdict | undefined {
  const lines = log.lines.filter(({ text }) => !PASSING.test(text));
  const told = [
    report.thrown ?? '',
    stderr,
    ...lines.filter(({ level }) => level !== 'debug').map(({ text }) => text),
    // The true reason for a refused reservation, and nothing else, is told here alone.
    ...lines
      .filter(({ level, text }) => level === 'debug' && text.startsWith('Failed to reserve cache'))
      .map(({ text }) => text),
  ];
  for (const { matches, verdict } of RULES) {
    for (const text of told) {
      const match = matches.exec(text);
      if (match) return verdict(match);
    }
  }
  return report.thrown === undefined ? undefined : failed(report.thrown, false);
}

/** What became of a save. An id alone proves nothing: version 1 of the service has given one when the upload fails. */
export function saveVerdict(said: Said): Verdict {
  const { id = -1 } = said.report;
  const isComplaint = said.log.lines.some(({ text }) => text.startsWith('Failed to save: '));
  if (id >= 0 && !isComplaint) return { kind: 'done' };
  return reasonIn(said) ?? failed('the client did not say why', false);
}

/** What became of a restore or of a look-up that asked for keys which `isWanted`. */
export function restoreVerdict(said: Said, isWanted: (key: string) => boolean): Verdict {
  const { found } = said.report;
  if (found !== undefined) return { kind: isWanted(found) ? 'done' : 'missing' };
  return reasonIn(said) ?? { kind: 'missing' };
}
