import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import { describeNetworkError, isLastingNetworkError, networkFailure } from '../core/network-error.ts';
import type { AwsKeys, AwsSession } from './aws-session.ts';
import { EbsError, type EbsFailure, type EbsStep, readFailure } from './ebs-failure.ts';

/** A request of the EBS direct APIs, before it is signed. */
export interface EbsRequest {
  readonly step: EbsStep;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is signed; bytes are not: a signed header has their checksum. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** An answer that says success. */
export interface EbsAnswer {
  readonly headers: Headers;
  readonly body: Buffer;
}

/** By what requests are sent. */
interface EbsConnection {
  readonly fetch: typeof globalThis.fetch;
  /** Without a path: `https://ebs.eu-central-1.amazonaws.com`. */
  readonly endpoint: string;
  readonly region: string;
  readonly session: AwsSession;
  readonly signal?: AbortSignal | undefined;
}

/** SHA-256 as AWS's signer wants it. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', asBytes(secret));
  }

  update(bytes: Uint8Array | string): void {
    this.#hash.update(bytes);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('a signature hashes once');
  }
}

const asBytes = (source: string | ArrayBuffer | ArrayBufferView): string | Uint8Array =>
  typeof source === 'string'
    ? source
    : ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);

/** Sends requests, each signed when it is sent: not before, for it may wait longer than a signature holds. */
export class EbsSender {
  readonly #connection: EbsConnection;
  readonly #host: URL;
  readonly #signer: SignatureV4;
  #keys: AwsKeys | undefined;

  constructor(connection: EbsConnection) {
    this.#connection = connection;
    this.#host = new URL(connection.endpoint);
    this.#signer = new SignatureV4({
      service: 'ebs',
      region: connection.region,
      sha256: Sha256,
      credentials: async () => {
        const { accessKeyId, secretAccessKey, sessionToken } = await this.#usedKeys();
        return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
      },
    });
  }

  get session(): AwsSession {
    return this.#connection.session;
  }

  /** One try of at most `limit` milliseconds. Throws EbsError for everything but success, and what the signal says. */
  async send(request: EbsRequest, limit: number): Promise<EbsAnswer> {
    const { fetch, signal } = this.#connection;
    const { url, headers } = await this.#signed(request);
    const ender = new AbortController();
    const end = (): void => ender.abort();
    const timer = setTimeout(end, limit);
    signal?.addEventListener('abort', end, { once: true });
    let response: Response;
    let body: Buffer;
    try {
      response = await fetch(url, {
        method: request.method,
        headers,
        body: request.body ?? null,
        signal: ender.signal,
      });
      body = Buffer.from(await response.arrayBuffer());
    } catch (error) {
      signal?.throwIfAborted();
      throw new EbsError(ender.signal.aborted ? timedOut(request.step, limit) : unreached(request.step, error), error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
    if (response.ok) return { headers: response.headers, body };
    throw new EbsError(readFailure(request.step, response, body.toString('utf8')));
  }

  /** New keys in place of those that a request was signed with. */
  async renewKeys(): Promise<void> {
    if (this.#keys) await this.session.renew(this.#keys);
  }

  async #usedKeys(): Promise<AwsKeys> {
    this.#keys = await this.session.keys();
    return this.#keys;
  }

  async #signed({ method, path, query = {}, headers, body }: EbsRequest) {
    const { protocol, hostname, host, port } = this.#host;
    const isSigned = !(body instanceof Uint8Array);
    const signed = await this.#signer.sign(
      {
        method,
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path,
        query,
        headers: { host, ...headers, ...(isSigned ? {} : { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }) },
        ...(isSigned && body !== undefined ? { body } : {}),
      },
      { signingDate: this.session.now() },
    );
    const { host: _, ...sent } = signed.headers;
    const search = Object.entries(query)
      .map(([name, value]) => `${name}=${escaped(value)}`)
      .join('&');
    return { url: `${protocol}//${host}${path}${search && `?${search}`}`, headers: sent };
  }
}

/** As signatures have it: what encodeURIComponent leaves alone beyond RFC 3986 is escaped too. */
const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);

const timedOut = (step: EbsStep, limit: number): EbsFailure => ({
  ...step,
  code: 'TimedOut',
  message: `there was no answer in ${(limit / 1000).toFixed(0)} s`,
});

const unreached = (step: EbsStep, error: unknown): EbsFailure => ({
  ...step,
  code: isLastingNetworkError(error) ? 'Unreachable' : 'Unreached',
  message: describeNetworkError(error),
  hint: networkFailure(error, step.what, 'EBS').hint,
});
