import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Who a request says it is from. */
export interface Signature {
  readonly accessKey: string;
  readonly region: string;
  readonly service: string;
  /** When it was signed, in milliseconds since 1970. */
  readonly signedAt: number;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

const HEADER =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

const UNSIGNED = 'UNSIGNED-PAYLOAD';

/** As RFC 3986 has it, which `encodeURIComponent` does not follow for five characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

/** Path and query of a request in their canonical form; each part of a path is encoded a second time, except in S3. */
const canonicalAddress = (address: string): string => {
  const [path = '/', query = ''] = address.split('?');
  const pairs = query
    .split('&')
    .filter(Boolean)
    .map((pair) => pair.split('=').map((part) => encode(decodeURIComponent(part))))
    .map(([name = '', value = '']) => `${name}=${value}`);
  return `${path.split('/').map(encode).join('/')}\n${pairs.sort().join('&')}`;
};

const timeOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/**
 * Reads and verifies a signature of version 4 over the whole request (IAM user guide, "Create a signed AWS API request").
 * Undefined where there is none of this form; `isRight` is false for another secret, another body, or headers of AWS's that are
 * not signed. A body may stay unsigned only where `mayBeUnsigned` says so.
 */
export const readSignature = (
  request: IncomingMessage,
  body: string | Buffer,
  secretOf: (accessKey: string) => string | undefined,
  { mayBeUnsigned = false }: { readonly mayBeUnsigned?: boolean } = {},
): (Signature & { readonly isRight: boolean }) | undefined => {
  const [, accessKey = '', day = '', region = '', service = '', signed = '', signature] =
    HEADER.exec(request.headers.authorization ?? '') ?? [];
  const time = request.headers['x-amz-date'];
  if (signature === undefined || typeof time !== 'string' || !time.startsWith(day)) return undefined;
  const names = signed.split(';');
  const lines = names.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`).join('');
  const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');
  const isUnsigned = mayBeUnsigned && request.headers['x-amz-content-sha256'] === UNSIGNED;
  const canonical = [
    request.method,
    canonicalAddress(request.url ?? '/'),
    lines,
    signed,
    isUnsigned ? UNSIGNED : hash(body),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, `${day}/${region}/${service}/aws4_request`, hash(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretOf(accessKey) ?? ''}`);
  const mustBeSigned = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  const isComplete = mustBeSigned.every((name) => names.includes(name));
  return {
    accessKey,
    region,
    service,
    signedAt: timeOf(time),
    isRight: isComplete && hmac(key, toSign).toString('hex') === signature,
  };
};
