import { BlobError, type BlobStore } from './blob-store.ts';
import { answer, type Exchange, readBody } from './exchange.ts';
import type { Permission, UrlSigner } from './signed-url.ts';

/** Every blob's path starts so: the name of a storage account, as in the path-style URLs of the storage client. */
export const BLOB_ROOT = '/results/';

export type BlobRoute = 'PutBlob' | 'PutBlock' | 'PutBlockList' | 'GetBlob' | 'HeadBlob';

/** What serving blobs takes. */
export interface BlobParts {
  readonly blobs: BlobStore;
  readonly signer: UrlSigner;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called for each blob that is read, if only in part. */
  readonly onRead: (path: string) => void;
}

/** The operation that a request to the blob store asks for; undefined when there is none like it. */
export const blobRoute = (method: string | undefined, url: URL): BlobRoute | undefined => {
  if (!url.pathname.startsWith(BLOB_ROOT)) return undefined;
  if (method === 'GET') return 'GetBlob';
  if (method === 'HEAD') return 'HeadBlob';
  if (method !== 'PUT') return undefined;
  const comp = url.searchParams.get('comp');
  if (comp === null) return 'PutBlob';
  return comp === 'block' ? 'PutBlock' : comp === 'blocklist' ? 'PutBlockList' : undefined;
};

const authorize = ({ url, fault }: Exchange, { signer, now }: BlobParts, permission: Permission): void => {
  const refusal = fault?.kind === 'expired' ? 'Signature not valid in the time frame.' : undefined;
  const reason = refusal ?? signer.refusal(url, permission, new Date(now()));
  if (reason !== undefined) {
    throw new BlobError(403, 'AuthenticationFailed', `Server failed to authenticate the request. ${reason}`);
  }
};

const header = ({ request }: Exchange, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

/** Blobs are written once. */
const ETAG = '"0x8D0"';

const put = async (exchange: Exchange, route: BlobRoute, parts: BlobParts): Promise<void> => {
  const { blobs } = parts;
  const { url } = exchange;
  const bytes = await readBody(exchange);
  if (bytes === undefined) return;
  authorize(exchange, parts, 'cw');
  if (header(exchange, 'content-length') === undefined) {
    throw new BlobError(411, 'MissingContentLengthHeader', 'Content-Length is missing.');
  }
  const contentType = header(exchange, 'x-ms-blob-content-type') ?? 'application/octet-stream';
  if (route === 'PutBlock') {
    blobs.putBlock(url.pathname, url.searchParams.get('blockid') ?? '', bytes);
  } else if (route === 'PutBlockList') {
    blobs.putBlockList(url.pathname, bytes.toString('utf8'), contentType);
  } else {
    if (header(exchange, 'x-ms-blob-type') !== 'BlockBlob') {
      throw new BlobError(400, 'MissingRequiredHeader', 'x-ms-blob-type must be BlockBlob.');
    }
    blobs.putBlob(url.pathname, { bytes, contentType });
  }
  answer(exchange, 201, { etag: ETAG, 'x-ms-request-server-encrypted': 'true' }, '');
};

const RANGE = /^bytes=(\d+)-(\d*)$/;

const get = (exchange: Exchange, route: BlobRoute, parts: BlobParts): void => {
  authorize(exchange, parts, 'r');
  const { url, response, socket, fault } = exchange;
  const blob = parts.blobs.get(url.pathname);
  if (!blob) throw new BlobError(404, 'BlobNotFound', 'The specified blob does not exist.');
  const size = blob.bytes.length;
  const range = header(exchange, 'x-ms-range') ?? header(exchange, 'range') ?? '';
  const [, from = '', to = ''] = RANGE.exec(range) ?? [];
  const start = from === '' ? 0 : Number(from);
  const end = to === '' ? size : Math.min(size, Number(to) + 1);
  if (start > 0 && start >= size) throw new BlobError(416, 'InvalidRange', 'The range is not within the blob.');
  const body = Buffer.from(blob.bytes.subarray(start, end));
  if (fault?.kind === 'corrupt') body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 0xff;
  const disposition = url.searchParams.get('rscd');
  const headers = {
    'content-type': blob.contentType,
    'accept-ranges': 'bytes',
    etag: ETAG,
    ...(disposition === null ? {} : { 'content-disposition': disposition }),
    ...(from === '' ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  };
  const status = from === '' ? 200 : 206;
  if (route === 'HeadBlob') {
    response.writeHead(status, { ...headers, 'content-length': end - start, 'x-ms-blob-type': 'BlockBlob' }).end();
    return;
  }
  parts.onRead(url.pathname);
  if (fault?.kind !== 'cut-download') {
    answer(exchange, status, headers, body);
    return;
  }
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.write(body.subarray(0, fault.after), () => socket.destroy());
};

/** Serves one request to the blob store (Azure Blob service REST API). */
export const serveBlob = async (exchange: Exchange, route: BlobRoute, parts: BlobParts): Promise<void> => {
  try {
    if (route === 'GetBlob' || route === 'HeadBlob') get(exchange, route, parts);
    else await put(exchange, route, parts);
  } catch (error) {
    if (!(error instanceof BlobError)) throw error;
    const { status, code, message } = error;
    const xml = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    answer(exchange, status, { 'content-type': 'application/xml', 'x-ms-error-code': code }, xml);
  }
};
