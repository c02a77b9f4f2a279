import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Who a request says it is from. */
export interface Signature {
  readonly accessKey: string;
  readonly region: string;
  readonly service: string;
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

const HEADER =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/**
 * Reads and verifies a signature of version 4 over the whole request (IAM user guide, "Create a signed AWS API request").
 * Undefined where there is none of this form; `isRight` is false for another secret or another body.
 */
export const readSignature = (
  request: IncomingMessage,
  body: string,
  secretOf: (accessKey: string) => string | undefined,
): (Signature & { readonly isRight: boolean }) | undefined => {
  const [, accessKey = '', day = '', region = '', service = '', signed = '', signature] =
    HEADER.exec(request.headers.authorization ?? '') ?? [];
  const time = request.headers['x-amz-date'];
  if (signature === undefined || typeof time !== 'string' || !time.startsWith(day)) return undefined;
  const names = signed.split(';');
  const lines = names.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}\n`).join('');
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const canonical = [request.method, request.url, '', lines, signed, hash(body)].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, `${day}/${region}/${service}/aws4_request`, hash(canonical)].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretOf(accessKey) ?? ''}`);
  const isComplete = ['host', 'x-amz-date', 'x-amz-target'].every((name) => names.includes(name));
  return { accessKey, region, service, isRight: isComplete && hmac(key, toSign).toString('hex') === signature };
};
