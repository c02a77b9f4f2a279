import { type ErrorCode, UserError } from '../core/error.ts';
import { lookUp } from '../core/lookup.ts';
import { plainLine, plainText } from '../core/printable.ts';
import type { DocsPlace } from './docs-place.ts';

/** A failure in the parts that every face shows: plain text, with its secrets hidden. */
export interface Failure {
  /** False for a bug. */
  readonly mendable: boolean;
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  /** The page that tells more: an address, or a path of the checkout. */
  readonly docs: string | undefined;
  /** What it came from, outermost first, one short line each. */
  readonly causes: readonly string[];
  /** Of a bug. */
  readonly stack: string | undefined;
}

/** Hides secrets. */
type MaskText = (text: string) => string;

/** Exit codes of the command line. 130 is what shells give a program that Ctrl-C ended: 128 + SIGINT. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** @internal */
export const REPORT_HINT =
  'This is a bug in nix-images, not in your input. Please report it with the lines above and the command you ran.';

/** Deeper causes tell nothing that a person could use. */
const CAUSES = 5;
const CAUSE_LENGTH = 300;

/** What the file system refuses for reasons outside this program: a full disk, missing permission, limits. */
const REFUSED: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space on that disk and run the command again.',
  EDQUOT: 'Your disk quota is used up: free some space and run the command again.',
  EACCES: 'Check who owns the path and its permissions.',
  EPERM: 'Check who owns the path and its permissions.',
  EROFS: 'The file system is read-only: choose another place.',
  EMFILE: 'Too many files are open: raise the limit (ulimit -n).',
};

const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined;

/** What was thrown, or the UserError it stands for: refusals of the file system and the abort of `signal`. */
export function asUserError(error: unknown, signal?: AbortSignal): unknown {
  if (error instanceof UserError) return error;
  if (
    signal?.aborted === true &&
    (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))
  ) {
    return new UserError('cancelled', 'interrupted', { cause: error });
  }
  const hint = lookUp(REFUSED, systemCode(error) ?? '');
  return hint === undefined ? error : new UserError('file', (error as Error).message, { hint });
}

/** The first line. Masked before it is cut, or a part of a secret would be shown. */
function oneLine(text: string, mask: MaskText): string {
  const line = mask(plainLine(text.trim().split('\n')[0] ?? ''));
  return line.length <= CAUSE_LENGTH ? line : `${line.slice(0, CAUSE_LENGTH)}…`;
}

/** Whatever was thrown, as text; some objects cannot be written as one. */
function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'something other than an error was thrown';
  }
}

function causesOf(error: unknown, mask: MaskText): string[] {
  const causes: string[] = [];
  let told = mask(plainText(messageOf(error)));
  let current = error;
  const seen = new Set<unknown>();
  while (current instanceof Error && causes.length < CAUSES && !seen.has(current)) {
    seen.add(current);
    // Connection attempts to several addresses fail together; the first tells as much as all.
    current = current instanceof AggregateError && current.errors.length > 0 ? current.errors[0] : current.cause;
    if (current === undefined || current === null) break;
    const line = oneLine(messageOf(current), mask);
    if (line !== '' && !told.includes(line)) causes.push(line);
    told += line;
  }
  return causes;
}

interface FailureFace {
  /** Default: the path in the repository. */
  readonly docsAt?: DocsPlace;
  readonly mask?: MaskText;
}

const inRepository: DocsPlace = (page) => `docs/${page}`;

/**
 * Takes apart whatever was thrown. Messages quote registries, flakes and archives: here, in one place for every face, they
 * become plain text.
 */
export function describeFailure(error: unknown, face: FailureFace = {}): Failure {
  const { docsAt = inRepository, mask = (text) => text } = face;
  const mendable = error instanceof UserError;
  const clean = (text: string): string => mask(plainText(text));
  const hint = mendable ? error.hint : REPORT_HINT;
  const stack = !mendable && error instanceof Error ? error.stack : undefined;
  return {
    mendable,
    code: mendable ? error.code : undefined,
    message: clean(messageOf(error)),
    hint: hint === undefined ? undefined : clean(hint),
    docs: mendable && error.docs !== undefined ? clean(docsAt(error.docs)) : undefined,
    causes: causesOf(error, mask),
    stack: stack === undefined ? undefined : clean(String(stack)),
  };
}

/** Lines after the first are set in, so that they are seen to belong to it. */
export function labelled(label: string, text: string): string[] {
  const [first = '', ...more] = text.split('\n');
  return [`${label}: ${first}`, ...more.map((line) => `  ${line}`)];
}

/** The line that leads to the documentation; none where a failure has no page. */
export const docsLine = ({ docs }: Pick<Failure, 'docs'>): string[] => (docs === undefined ? [] : [`See ${docs}`]);

/** As a terminal shows it; without colour. A bug shows its stack and asks to be reported. */
export const renderFailure = ({ mendable, message, hint, causes, stack, docs }: Failure): string[] => [
  ...labelled(mendable ? 'error' : 'bug', mendable ? message : (stack ?? message)),
  ...causes.flatMap((cause) => labelled('cause', cause)),
  ...(hint === undefined ? [] : labelled('hint', hint)),
  ...docsLine({ docs }),
];
