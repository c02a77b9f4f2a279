import { z } from 'zod';
import { plainLine } from '../core/printable.ts';
import { CHUNKED, REASON_LIMIT } from './chunked.ts';

// A character of plane 1 and above counts twice here.
const reason = z
  .string()
  .max(2 * REASON_LIMIT, { abort: true })
  .refine((text) => plainLine(text) === text);

const tableSchema = z.object({
  [CHUNKED.checksum]: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  [CHUNKED.toc]: z.string().regex(/^\d{1,15}:\d{1,15}:\d{1,15}:1$/),
  [CHUNKED.tarSplit]: z.string().regex(/^\d{1,15}:\d{1,15}:\d{1,15}$/),
});

const plainSchema = z.object({ [CHUNKED.plain]: reason });

/** What a descriptor says of its layer; those of others may say anything. */
type Annotations = Readonly<Record<string, string>>;

/** Whether readers take a layer for zstd:chunked: they go by the checksum alone. */
export const isChunked = (annotations: Annotations = {}): boolean => annotations[CHUNKED.checksum] !== undefined;

/**
 * Of a layer's annotations, those by which it counts as zstd:chunked: where its parts are, or why it has none. Undefined for any other layer,
 * and where one of them is missing or not valid.
 */
export const asChunked = (annotations: Annotations = {}): Record<string, string> | undefined =>
  (CHUNKED.plain in annotations ? plainSchema : tableSchema).safeParse(annotations).data;
