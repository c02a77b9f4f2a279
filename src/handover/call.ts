import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import { UserError } from '../core/error.ts';

/** Hexadecimal digits of a call: enough to tell the few calls of one run apart, and short in the name of an artifact. */
const CALL_DIGITS = 8;

/** Tells the calls of one workflow run apart, so that what their jobs hand over is not mixed up. */
export const callSchema = z
  .string()
  .regex(new RegExp(`^[0-9a-f]{${CALL_DIGITS}}$`), `expected ${CALL_DIGITS} hexadecimal digits`);

/** Reads a call. Throws UserError `input`. */
export function parseCall(text: string): string {
  const result = callSchema.safeParse(text);
  if (result.success) return result.data;
  throw new UserError('input', `call: ${JSON.stringify(text)} is not a call of plan`, {
    hint: 'Give the field call of the job in the matrix that plan makes.',
  });
}

/** The call that has these inputs: equal ones give an equal call, in every job and attempt. */
export const callOf = (inputs: Readonly<Record<string, Json>>): string =>
  createHash('sha256').update(canonicalJson(inputs)).digest('hex').slice(0, CALL_DIGITS);
