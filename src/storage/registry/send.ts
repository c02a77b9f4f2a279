import type { Body } from '../../core/body.ts';
import type { Tried } from './auth/credential.ts';

/** Bytes to send whose number is not known before they end. They can be had once: such a request cannot be repeated. */
export interface StreamedBody {
  /** A piece may be used again once the next one is asked for. */
  pieces(): AsyncIterable<Uint8Array>;
}

export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body | StreamedBody;
  /** What a token must allow, as `repository:NAME:ACTIONS`. */
  readonly scopes?: readonly string[];
  /** Reads up to this many bytes of a successful reply's body as part of the request: a cut is tried again too. */
  readonly bodyLimit?: number;
  /** Ends the request. */
  readonly stop?: AbortSignal;
}

/** A reply with any status; redirects are followed unless its body could not be sent again. */
export interface Reply {
  readonly response: Response;
  readonly method: string;
  /** The URL that was asked last, from which a relative Location starts. */
  readonly url: URL;
  /** The body, when the request asked for it with `bodyLimit`. */
  readonly body?: Buffer;
  /** Which credential was presented; undefined where nobody asked for one. */
  readonly tried?: Tried | undefined;
  /** Whether a request that was refused would go with fresh credentials now. */
  readonly isRenewed?: boolean;
  /** Whether the registry says that an allowance of hours is used up. */
  readonly isUsedUp?: boolean;
}

/**
 * Sends a request: the links of the chain that `client.ts` puts together each take one and give one. Throws what `fetch`
 * throws when the connection breaks, and UserError.
 */
export type Send = (request: RegistryRequest) => Promise<Reply>;

/** Whether the bytes of a body can be had once only, so that no link may send it again. */
export const isStreamed = (body: Body | StreamedBody | undefined): body is StreamedBody =>
  body !== undefined && !('length' in body);
