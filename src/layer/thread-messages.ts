import { type ErrorCode, UserError } from '../core/error.ts';
import type { Compression } from '../oci/compression.ts';
import type { LayerContent } from './layer-content.ts';
import type { WrittenLayer } from './write-layer.ts';

/** A layer to be written, as plain data. */
export interface LayerTask {
  readonly content: LayerContent;
  readonly compression: Compression;
  /** Blocks to compress at once; see CompressOptions. */
  readonly parallel: number;
}

/** What a layer's thread is told. */
export type ToThread =
  | { readonly kind: 'write'; readonly task: LayerTask }
  /** A chunk's memory, to be used again. */
  | { readonly kind: 'taken'; readonly memory: ArrayBuffer };

/** What it answers. */
export type FromThread =
  /** The next bytes of the compressed layer, and the bytes of tar that went in so far. */
  | { readonly kind: 'chunk'; readonly memory: ArrayBuffer; readonly length: number; readonly read: number }
  | { readonly kind: 'written'; readonly layer: WrittenLayer }
  | { readonly kind: 'failed'; readonly error: SentError };

/** An error as data: a class does not survive the way between threads. */
type SentError =
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
    return new UserError(code, message, { ...(hint ? { hint } : {}), ...(docs ? { docs } : {}) });
  }
  const error = new Error(sent.message);
  if (sent.stack !== undefined) error.stack = sent.stack;
  return error;
}
