import { z } from 'zod';
import { UserError } from '../core/error.ts';

/** Reads what AWS has answered. Throws UserError `aws` for another shape: what answered is then rarely AWS itself. */
export function readAnswer<T>(schema: z.ZodType<T>, answer: unknown, what: string): T {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new UserError('aws', `${what} is not valid: ${z.prettifyError(result.error)}`, {
    hint: 'Run again; if it comes back, check AWS_ENDPOINT_URL and proxies.',
  });
}
