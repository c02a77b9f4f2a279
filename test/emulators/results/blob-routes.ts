import { BlobError, type BlobStore } from './blob-store.ts';
import { answer, type Exchange, readBody } from './exchange.ts';
import type { Permission, UrlSigner } from './signed-url.ts';

/** Every blob's path starts so: the name of a storage account, as in the path-style URLs of the storage client. */
export const BLOB_ROOT = '/results/';

export type BlobRoute = 'PutBlob' | 'PutBlock' | 'PutBlockList' | 'GetBlob';

/** The operation that a request to the blob store asks for; undefined when there is none like it. */
export const blobRoute = (method: string | undefined, url: URL): BlobRoute | undefined => {
  if (!url.pathname.startsWith(BLOB_ROOT)) return undefined;
  if (method === 'GET') return 'GetBlob';
  if (method !== 'PUT') return undefined;
  const comp = url.searchParams.get('comp');
  if (comp === null) return 'PutBlob';
  return comp === 'block' ? 'PutBlock' : comp === 'blocklist' ? 'PutBlockList' : undefined;
};

const authorize = ({ url, fault }: Exchange, signer: UrlSigner, permission: Permission): void => {
  const refusal = fault?.kind === 'expired' ? 'Signature not valid in the time frame.' : undefined;
  const reason = refusal ?? signer.refusal(url, permission, new Date());
  if (reason !== undefined) {
    throw new BlobError(403, 'AuthenticationFailed', `Server failed to authenticate the request. ${reason}`);
  }
};

const header = ({ request }: Exchange, name: string): string | undefined => {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
};

const put = async (exchange: Exchange, route: BlobRoute, blobs: BlobStore, signer: UrlSigner): Promise<void> => {
  const { url } = exchange;
  const bytes = await readBody(exchange);
  if (bytes === undefined) return;
  authorize(exchange, signer, 'cw');
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
  answer(exchange, 201, { etag: '"0x8D0"', 'x-ms-request-server-encrypted': 'true' }, '');
};

const RANGE = /^bytes=(\d+)-(\d*)$/;

const get = (exchange: Exchange, blobs: BlobStore, signer: UrlSigner): void => {
  authorize(exchange, signer, 'r');
  const { url, response, socket, fault } = exchange;
  const blob = blobs.get(url.pathname);
  if (!blob) throw new BlobError(404, 'BlobNotFound', 'The specified blob does not exist.');
  const size = blob.bytes.length;
  const [, from = '', to = ''] = RANGE.exec(header(exchange, 'range') ?? '') ?? [];
  const start = from === '' ? 0 : Number(from);
  const end = to === '' ? size : Math.min(size, Number(to) + 1);
  if (start > 0 && start >= size) throw new BlobError(416, 'InvalidRange', 'The range is not within the blob.');
  const body = Buffer.from(blob.bytes.subarray(start, end));
  if (fault?.kind === 'corrupt') body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 0xff;
  const disposition = url.searchParams.get('rscd');
  const headers = {
    'content-type': blob.contentType,
    'accept-ranges': 'bytes',
    ...(disposition === null ? {} : { 'content-disposition': disposition }),
    ...(from === '' ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  };
  const status = from === '' ? 200 : 206;
  if (fault?.kind !== 'cut-download') {
    answer(exchange, status, headers, body);
    return;
  }
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.write(body.subarray(0, fault.after), () => socket.destroy());
};

/** Serves one request to the blob store (Azure Blob service REST API). */
export const serveBlob = async (
  exchange: Exchange,
  route: BlobRoute,
  blobs: BlobStore,
  signer: UrlSigner,
): Promise<void> => {
  try {
    if (route === 'GetBlob') get(exchange, blobs, signer);
    else await put(exchange, route, blobs, signer);
  } catch (error) {
    if (!(error instanceof BlobError)) throw error;
    const { status, code, message } = error;
    const xml = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
    answer(exchange, status, { 'content-type': 'application/xml', 'x-ms-error-code': code }, xml);
  }
};
