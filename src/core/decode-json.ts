import { z } from 'zod';
import { type ErrorCode, UserError } from './error.ts';

/** Levels of lists and objects within each other; images' documents have less than ten. */
const DEPTH_LIMIT = 100;

/** Characters of a text that errors show. */
const SHOWN = 200;

/** How errors speak of a document. */
export interface JsonDocument {
  readonly code: ErrorCode;
  /** What it is and where, as in "the plan" or a path. */
  readonly what: string;
  /** What errors say of another shape, where there is something better than "is not valid". */
  readonly mismatch?: string;
  readonly hint?: string;
  readonly docs?: string;
  /** Show how the text begins: a person gave it, or a program printed it. */
  readonly isShown?: boolean;
  /** It may hold a secret, so errors quote nothing of it; parsers would. */
  readonly isSecret?: boolean;
}

/** JSON.parse would read any depth, but what walks the value afterwards, to check or print it, runs out of stack. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const mark = text[at];
    if (mark === '"') inString = !inString;
    else if (inString) at += mark === '\\' ? 1 : 0;
    else if (mark === '[' || mark === '{') depth += 1;
    else if (mark === ']' || mark === '}') depth -= 1;
    if (depth > DEPTH_LIMIT) return true;
  }
  return false;
}

const textOf = (source: string | Uint8Array): string =>
  typeof source === 'string' ? source : new TextDecoder('utf-8', { fatal: true }).decode(source);

/** Reads JSON from outside and checks its shape. Throws UserError that says what is wrong, at which field. */
export function decodeJson<T>(source: string | Uint8Array, schema: z.ZodType<T>, document: JsonDocument): T {
  const { code, what, mismatch = 'is not valid', hint, docs, isSecret = false } = document;
  const failure = (text: string, cause?: unknown): UserError =>
    new UserError(code, text, {
      hint,
      docs,
      ...(isSecret || cause === undefined ? {} : { cause }),
    });
  let value: unknown;
  try {
    const text = textOf(source);
    if (!isTooDeep(text)) value = JSON.parse(text);
  } catch (cause) {
    const start = document.isShown && typeof source === 'string' ? `: ${JSON.stringify(source.slice(0, SHOWN))}` : '';
    throw failure(`${what} is not JSON${start}`, cause);
  }
  // No JSON is undefined.
  if (value === undefined) throw failure(`${what} has more than ${DEPTH_LIMIT} lists and objects within each other`);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // No cause: the message says all of it, and the error's own text is JSON.
  throw failure(`${what} ${mismatch}: ${z.prettifyError(result.error)}`);
}

/** The same for what may as well be something else: undefined where it is not JSON of this shape. */
export function tryDecodeJson<T>(source: string | Uint8Array, schema: z.ZodType<T>): T | undefined {
  try {
    const text = textOf(source);
    return isTooDeep(text) ? undefined : schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
