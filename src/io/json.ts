import { z } from 'zod';
import { UserError } from './error.ts';

/**
 * Parses JSON from outside and checks it. `what` names the document in messages. Throws UserError `registry` that
 * says which field is wrong.
 */
export function parseJson<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new UserError('registry', `${what} is not JSON`, {
      hint: 'Whoever serves it is broken or not a registry.',
      cause,
    });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new UserError('registry', `${what} is not what the OCI specification asks: ${z.prettifyError(result.error)}`, {
    hint: 'It may be made by a broken tool, or be something else than an image.',
  });
}
