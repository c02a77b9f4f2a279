import { z } from 'zod';
import { UserError } from './error.ts';

/** Levels of lists and objects within each other; images' documents have less than ten. */
const DEPTH_LIMIT = 100;

/**
 * JSON.parse for what comes from outside. It would read any depth, but what walks the value afterwards, to check or print it,
 * runs out of stack. Throws SyntaxError.
 */
export function parseShallow(text: string): unknown {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const mark = text[at];
    if (mark === '"') inString = !inString;
    else if (inString) at += mark === '\\' ? 1 : 0;
    else if (mark === '[' || mark === '{') depth += 1;
    else if (mark === ']' || mark === '}') depth -= 1;
    if (depth > DEPTH_LIMIT) throw new SyntaxError(`more than ${DEPTH_LIMIT} lists and objects within each other`);
  }
  return JSON.parse(text);
}

/**
 * Parses JSON from outside and checks it. `what` names the document in messages. Throws UserError `registry` that
 * says which field is wrong.
 */
export function parseJson<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = parseShallow(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new UserError('registry', `${what} is not JSON`, {
      hint: 'The server is broken, or not a registry.',
      cause,
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError('registry', `${what} does not follow the OCI specification: ${z.prettifyError(result.error)}`, {
    hint: 'It may be the work of a broken tool, or not an image.',
  });
}
