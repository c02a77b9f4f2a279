import type { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';

/** Reads a document of the OCI image specification; `what` names it in messages. Throws UserError `registry`. */
export const decodeDocument = <T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T =>
  decodeJson(bytes, schema, {
    code: 'registry',
    what,
    mismatch: 'does not follow the OCI specification',
    hint: 'It may be the work of a broken tool, or not an image.',
  });
