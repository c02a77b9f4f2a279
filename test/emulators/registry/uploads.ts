import { sha256 } from '../../support/bytes.ts';
import { answer, readBody, refuse } from './answer.ts';
import type { Exchange } from './emulator.ts';
import type { Upload } from './store.ts';

const locationOf = ({ request, host, options }: Exchange, upload: Upload): string => {
  const signed = options.locationQuery === undefined ? '' : `&${options.locationQuery}`;
  const path = `/v2/${upload.repository}/blobs/uploads/${upload.id}?_state=${upload.state}${signed}`;
  if (options.location === 'plain') return `http://${request.headers.host}${path}`;
  return options.location === 'absolute' ? `http://${host}${path}` : path;
};

/** Bytes that have arrived, by the registry's word. */
const reported = ({ options }: Exchange, { firstPart, size }: Upload): number =>
  options.hasStuckRange ? (firstPart ?? 0) : size;

const progress = (exchange: Exchange, upload: Upload, status: number): void => {
  const minimum = exchange.options.minimumChunk;
  answer(exchange, status, {
    location: locationOf(exchange, upload),
    range: `0-${Math.max(0, reported(exchange, upload) - 1)}`,
    'content-length': 0,
    ...(minimum === undefined ? {} : { 'oci-chunk-min-length': minimum }),
  });
};

/** Whether a manifest in a repository names a blob. */
const isNamedIn = ({ store }: Exchange, repository: string, digest: string): boolean =>
  [...store.manifests(repository)].some(([, { bytes }]) => bytes.includes(digest));

/** POST: opens an upload, or mounts a blob of another repository. */
export const openUpload = async (exchange: Exchange, repository: string): Promise<void> => {
  const { request, url, store, authority, options } = exchange;
  if (request.method !== 'POST') return refuse(exchange, 405, 'UNSUPPORTED', 'POST opens an upload');
  if (options.sendsUploadsTo !== undefined) {
    const { origin, status } = options.sendsUploadsTo;
    return answer(exchange, status, { location: `${origin}${url.pathname}${url.search}` });
  }
  const [digest, from] = [url.searchParams.get('mount'), url.searchParams.get('from')];
  if (digest && options.refusesMounts !== undefined)
    return refuse(exchange, options.refusesMounts, 'UNSUPPORTED', 'no mounts');
  const blob =
    digest && from && authority.allows(request.headers.authorization, from, 'pull')
      ? store.blob(from, digest)
      : undefined;
  const isNamed = options.mount !== 'named' || (from && digest && isNamedIn(exchange, from, digest));
  if (blob !== undefined && options.mount !== 'upload' && isNamed) {
    store.putBlob(repository, blob.bytes);
    return answer(exchange, 201, { location: `/v2/${repository}/blobs/${digest}` });
  }
  progress(exchange, store.openUpload(repository), 202);
};

const add = ({ options }: Exchange, upload: Upload, bytes: Buffer): void => {
  if (options.keepsLastChunk) upload.parts = [];
  upload.parts.push(bytes);
  upload.size += bytes.length;
  upload.state += 1;
};

const patch = async (exchange: Exchange, upload: Upload): Promise<void> => {
  const { request, options, fault } = exchange;
  const { 'content-range': range, 'content-length': length, 'content-type': type } = request.headers;
  const [, start, end] = /^(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  const isStream = range === undefined;
  const isChunk = length !== undefined && Number(end) - Number(start) + 1 === Number(length);
  if (type !== 'application/octet-stream' || !(isStream || isChunk)) {
    await readBody(exchange);
    return refuse(
      exchange,
      400,
      'BLOB_UPLOAD_INVALID',
      'a PATCH needs Content-Type, and a chunk Content-Length and a Content-Range that fits',
    );
  }
  const limit = isStream ? undefined : options.largestChunk;
  if (limit !== undefined && Number(length) > limit) {
    await readBody(exchange);
    return refuse(exchange, 416, 'REQUESTED_RANGE_NOT_SATISFIABLE', `more than ${limit} bytes`);
  }
  if (options.parts && !isStream && (upload.hasSmallPart || Number(length) > options.parts.largest))
    return void exchange.socket.destroy();
  if (options.takesOnePatch && upload.patches > 0) {
    await readBody(exchange);
    return refuse(exchange, 400, 'UNSUPPORTED', 'uploads in several parts are not supported');
  }
  upload.patches += 1;
  if (isStream ? upload.size > 0 : Number(start) !== upload.size || upload.isClosed) {
    await readBody(exchange);
    return refuse(exchange, 416, 'BLOB_UPLOAD_INVALID', `chunk from ${start}, expected ${upload.size}`);
  }
  const { bytes, isCut } = await readBody(exchange);
  if (isCut && fault?.kind === 'mid-status') return answer(exchange, fault.status, { connection: 'close' });
  if (isCut) {
    if (fault?.kind === 'cut-upload' && fault.keep) add(exchange, upload, bytes);
    if (bytes.length < (options.parts?.smallest ?? 0)) upload.hasSmallPart = true;
    if (options.endsBrokenUploads) exchange.store.uploads.delete(upload.id);
    exchange.socket.destroy();
    return;
  }
  if (!exchange.authority.spend(request.headers.authorization, bytes.length)) return challengeAgain(exchange, upload);
  add(exchange, upload, bytes);
  if (bytes.length < (options.parts?.smallest ?? 0)) upload.hasSmallPart = true;
  if (isStream || bytes.length < (options.minimumChunk ?? 0)) upload.isClosed = true;
  upload.firstPart ??= bytes.length;
  // Without a new Location the old one has to stay good.
  if (fault?.kind === 'no-location') upload.state -= 1;
  progress(exchange, upload, options.isTerse ? 201 : 202);
};

/** The token was good when the request began. */
const challengeAgain = (exchange: Exchange, { repository }: Upload): void => {
  const { request, host, authority } = exchange;
  const challenge = authority.challenge(request, host, repository, 'push') ?? '';
  refuse(exchange, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
};

const finish = async (exchange: Exchange, upload: Upload): Promise<void> => {
  const { bytes, isCut } = await readBody(exchange);
  if (isCut) return void exchange.socket.destroy();
  const { store, options } = exchange;
  if (options.needsPatch && bytes.length > 0 && upload.patches === 0)
    return refuse(exchange, 404, 'BLOB_UPLOAD_INVALID', 'nothing was uploaded');
  const blob = Buffer.concat([...upload.parts, bytes]);
  if (options.quota !== undefined && store.size + blob.length > options.quota)
    return refuse(
      exchange,
      403,
      'DENIED',
      `adding ${blob.length} B of storage resource, which when updated to current usage of ${store.size} B will exceed the configured upper limit of ${options.quota} B.`,
    );
  const digest = exchange.url.searchParams.get('digest') ?? '';
  if (digest !== sha256(blob) && !options.keepsLastChunk)
    return refuse(exchange, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  exchange.store.uploads.delete(upload.id);
  exchange.store.putBlob(upload.repository, blob, digest);
  answer(exchange, 201, { location: `/v2/${upload.repository}/blobs/${digest}` });
};

/** The rest of an upload's life: status, chunks, end, cancellation. */
export const handleUpload = async (exchange: Exchange, repository: string, id: string): Promise<void> => {
  const { request, url, store } = exchange;
  const upload = store.uploads.get(id);
  if (upload === undefined || upload.repository !== repository) {
    await readBody(exchange);
    return refuse(exchange, 404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
  }
  const signed = exchange.options.locationQuery;
  if (signed !== undefined && !`${request.url}&`.includes(`&${signed}&`)) {
    await readBody(exchange);
    return refuse(exchange, 403, 'DENIED', 'the signature does not fit');
  }
  if (request.method === 'GET' && exchange.options.hidesUploads)
    return refuse(exchange, 404, 'BLOB_UPLOAD_UNKNOWN', 'no status of uploads');
  if (request.method === 'GET') return progress(exchange, upload, 204);
  if (request.method !== 'DELETE' && url.searchParams.get('_state') !== String(upload.state)) {
    await readBody(exchange);
    return refuse(exchange, 416, 'BLOB_UPLOAD_INVALID', 'the URL of the upload is stale');
  }
  if (request.method === 'PATCH') return patch(exchange, upload);
  if (request.method === 'PUT') return finish(exchange, upload);
  if (request.method !== 'DELETE') return refuse(exchange, 405, 'UNSUPPORTED', 'no');
  store.uploads.delete(id);
  answer(exchange, 204);
};
