import { type ErrorCode, UserError } from './error.ts';

/** An error as data: a class does not survive the way between threads. */
export type SentError =
  | {
      readonly kind: 'user';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | undefined;
      readonly docs: string | undefined;
    }
  | { readonly kind: 'bug'; readonly message: string; readonly stack: string | undefined };

export function sendError(error: unknown): SentError {
  if (error instanceof UserError) {
    const { code, message, hint, docs } = error;
    return { kind: 'user', code, message, hint, docs };
  }
  if (error instanceof Error) return { kind: 'bug', message: error.message, stack: error.stack };
  return { kind: 'bug', message: String(error), stack: undefined };
}

export function receiveError(sent: SentError): Error {
  if (sent.kind === 'user') {
    const { code, message, hint, docs } = sent;
    return new UserError(code, message, { hint, docs });
  }
  const error = new Error(sent.message);
  if (sent.stack !== undefined) error.stack = sent.stack;
  return error;
}
