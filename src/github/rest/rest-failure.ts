import { cancelled } from '../../core/error.ts';

/** Why GitHub did not do what it was asked. */
interface RestFailure {
  /** 0 where no answer came. */
  readonly status: number;
  /** One line, for the log. */
  readonly why: string;
  /** Whether the token lacks a permission; other refusals of status 403 are limits. */
  readonly isDenied: boolean;
}

/** What GitHub says to a job's token, and to a token of a person, that lacks a permission. */
const DENIED = /Resource not accessible by|Must have admin rights/;

/** A failure that Octokit threw. Throws UserError `cancelled` where `signal` has fired. */
export function restFailure(error: unknown, signal: AbortSignal): RestFailure {
  if (signal.aborted) throw cancelled(error);
  const { message } = error instanceof Error ? error : new Error(String(error));
  const hasAnswer = error instanceof Error && 'response' in error && error.response !== undefined;
  const status = hasAnswer && 'status' in error && typeof error.status === 'number' ? error.status : 0;
  // Octokit adds the address of a page on documentation.
  const text = message.split(' - http', 1)[0]?.split('\n', 1)[0] ?? '';
  const why = status === 0 ? text : `${status} ${text}`;
  return { status, why, isDenied: status === 401 || (status === 403 && DENIED.test(message)) };
}
