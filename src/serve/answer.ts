import type { Json } from '../core/canonical-json.ts';

/** Bytes that are made while they are sent. */
export interface ByteStream {
  /** Each chunk stays as it is until it is given back. */
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** What they are, in a few words. */
  readonly name?: string;
  /** Takes a chunk back that was sent. */
  readonly release?: (chunk: Uint8Array) => void;
}

/** What is sent for a request. The length of the body is among the headers. */
export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Nothing for HEAD. */
  readonly body?: Uint8Array | ByteStream;
}

/** Error codes of the distribution-spec, "Error Codes". */
type ErrorCode =
  | 'BLOB_UNKNOWN'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_UNKNOWN'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED'
  | 'UNKNOWN'
  | 'DIGEST_INVALID';

/** Every answer says that this is a registry, or old clients of docker take it for none. */
const API_VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

export const answerOf = (
  status: number,
  contentType: string,
  body: Uint8Array,
  headers: RegistryAnswer['headers'] = {},
): RegistryAnswer => ({
  status,
  headers: { ...API_VERSION, 'content-type': contentType, 'content-length': String(body.length), ...headers },
  body,
});

export const streamAnswer = (
  status: number,
  headers: RegistryAnswer['headers'],
  body: ByteStream | undefined,
): RegistryAnswer => ({
  status,
  headers: { ...API_VERSION, ...headers },
  ...(body ? { body } : {}),
});

export const jsonAnswer = (value: Json, headers?: RegistryAnswer['headers']): RegistryAnswer =>
  answerOf(200, 'application/json', Buffer.from(JSON.stringify(value)), headers);

/** An error in the form of the distribution-spec, which clients show to their users. */
export const errorAnswer = (
  status: number,
  code: ErrorCode,
  message: string,
  headers: RegistryAnswer['headers'] = {},
): RegistryAnswer =>
  answerOf(status, 'application/json', Buffer.from(JSON.stringify({ errors: [{ code, message }] })), headers);
