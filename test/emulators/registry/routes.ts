import { sha256 } from '../../support/bytes.ts';
import { answer, readBody, refuse, refuseFor } from './answer.ts';
import type { Exchange } from './emulator.ts';
import { partialAnswer } from './ranges.ts';
import type { StoredBlob } from './store.ts';
import { handleUpload, openUpload } from './uploads.ts';

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

const sendStored = async (exchange: Exchange, { bytes, mediaType }: StoredBlob): Promise<void> => {
  const { request, fault, response, options } = exchange;
  const digest = fault?.kind === 'wrong-digest' ? `sha256:${'0'.repeat(64)}` : sha256(bytes);
  const body = Buffer.from(bytes);
  if (fault?.kind === 'corrupt') body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
  const modes = fault?.kind === 'ignore-range' ? { unknown: true } : (options.ranges ?? {});
  const found = partialAnswer(body, request.headers.range, mediaType, modes);
  const { status, body: part } = found ?? { status: 200, body };
  if (found?.message !== undefined) response.statusMessage = found.message;
  const headers = {
    'content-type': mediaType,
    'content-length': part.length,
    'docker-content-digest': digest,
    ...found?.headers,
  };
  if (request.method === 'HEAD') return answer(exchange, status, headers);
  if (fault?.kind !== 'cut-download') return answer(exchange, status, headers, part);
  response.writeHead(status, headers);
  response.write(part.subarray(0, fault.after), () => setImmediate(() => exchange.socket.destroy()));
};

const handleBlob = async (exchange: Exchange, repository: string, digest: string): Promise<void> => {
  const blob = exchange.store.blob(repository, digest);
  if (exchange.request.method !== 'GET' && exchange.request.method !== 'HEAD')
    return refuse(exchange, 405, 'UNSUPPORTED', 'no');
  if (blob === undefined) return refuse(exchange, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
  const { sendsBlobsTo } = exchange.options;
  if (sendsBlobsTo !== undefined && exchange.request.method === 'GET')
    return answer(exchange, 307, { location: `${sendsBlobsTo}${exchange.url.pathname}` });
  return sendStored(exchange, blob);
};

interface Content {
  readonly mediaType?: string;
  readonly config?: { readonly digest: string; readonly mediaType?: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string; readonly mediaType?: string }[];
  readonly subject?: { readonly digest: string };
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What has come so long ago that the part of the registry that keeps manifests knows of it. */
const seen = ({ options: { lag } }: Exchange, stored: StoredBlob | undefined): StoredBlob | undefined =>
  lag !== undefined && stored !== undefined && stored.at + lag.milliseconds > lag.now() ? undefined : stored;

const missingIn = (exchange: Exchange, repository: string, content: Content): string | undefined => {
  const { store } = exchange;
  const blobs = [...(content.config ? [content.config] : []), ...(content.layers ?? [])];
  const blob = blobs.find(({ digest }) => seen(exchange, store.blob(repository, digest)) === undefined);
  const child = content.manifests?.find(
    ({ digest }) => seen(exchange, store.manifest(repository, digest)) === undefined,
  );
  return blob?.digest ?? child?.digest;
};

/** Whether an index names manifests of another kind. */
const isMixed = (mediaType: string, { manifests = [] }: Content): boolean =>
  manifests.some((child) => child.mediaType?.includes('docker') !== mediaType.includes('docker'));

const putManifest = async (exchange: Exchange, repository: string, reference: string): Promise<void> => {
  const { bytes } = await readBody(exchange);
  const mediaType = exchange.request.headers['content-type'] ?? '';
  const content = JSON.parse(bytes.toString('utf8')) as Content;
  if (!MANIFEST_TYPES.includes(mediaType) || (content.mediaType ?? mediaType) !== mediaType) {
    return refuse(exchange, 400, 'MANIFEST_INVALID', `media type ${mediaType}`);
  }
  const digest = sha256(bytes);
  if (reference.includes(':') && reference !== digest) return refuse(exchange, 400, 'DIGEST_INVALID', 'digest differs');
  if (exchange.options.wantsPureIndexes && isMixed(mediaType, content)) {
    const reason = { message: 'failed to parse manifest: manifest data does not match schema' };
    return refuseFor(exchange, 400, { code: 'MANIFEST_INVALID', message: 'manifest invalid', reason });
  }
  const missing = exchange.options.takesAnyManifest ? undefined : missingIn(exchange, repository, content);
  if (missing !== undefined) return refuse(exchange, 404, 'MANIFEST_BLOB_UNKNOWN', `blob unknown: ${missing}`);
  const { immutableTags, refusesArtifacts, refusesSubjects, referrersPerPage, referrers, isTerse } = exchange.options;
  if (refusesArtifacts && content.config && !/image\.(?:config\.)?v1\+json$/.test(content.config.mediaType ?? ''))
    return refuse(exchange, refusesArtifacts.status, refusesArtifacts.code, refusesArtifacts.message);
  if (refusesSubjects && content.subject)
    return refuse(exchange, refusesSubjects.status, refusesSubjects.code, refusesSubjects.message);
  if (immutableTags && reference !== digest && exchange.store.manifest(repository, reference) !== undefined)
    return refuse(exchange, immutableTags.status, immutableTags.code, immutableTags.message);
  const before = exchange.store.tags(repository).get(reference);
  exchange.store.putManifest(repository, reference, bytes, mediaType);
  if (exchange.options.forgetsUntagged && before !== undefined) forgetUntagged(exchange, repository, before);
  const stated = exchange.fault?.kind === 'wrong-digest' ? `sha256:${'0'.repeat(64)}` : digest;
  const isListed = content.subject && referrersPerPage !== undefined && !referrers?.noSubjectHeader;
  answer(exchange, 201, {
    ...(isTerse ? {} : { location: `/v2/${repository}/manifests/${digest}` }),
    'docker-content-digest': stated,
    ...(isListed ? { 'oci-subject': content.subject.digest } : {}),
  });
};

/** Removes a manifest that neither a tag nor an index names any more. */
const forgetUntagged = ({ store }: Exchange, repository: string, digest: string): void => {
  const isTagged = [...store.tags(repository).values()].includes(digest);
  const isNamed = [...store.manifests(repository).values()].some(({ bytes }) =>
    (JSON.parse(bytes.toString('utf8')) as Content).manifests?.some((child) => child.digest === digest),
  );
  if (!isTagged && !isNamed) store.deleteManifest(repository, digest);
};

const readManifest = ({ store, options }: Exchange, repository: string, reference: string): StoredBlob | undefined => {
  const { takesTagsForDigests, staleReads } = options;
  const asDigest = takesTagsForDigests
    ? store.manifest(repository, reference.replace(/^sha256-/, 'sha256:'))
    : undefined;
  if (asDigest !== undefined) return asDigest;
  if (staleReads && !reference.includes(':'))
    return store.staleManifest(repository, reference, staleReads.milliseconds);
  return store.manifest(repository, reference);
};

const handleManifest = async (exchange: Exchange, repository: string, reference: string): Promise<void> => {
  if (exchange.request.method === 'PUT') return putManifest(exchange, repository, reference);
  if (exchange.request.method === 'DELETE') return deleteManifest(exchange, repository, reference);
  const { pulls, hidesByPolicy } = exchange.options;
  if (pulls?.remaining === 0)
    return refuse(exchange, 429, 'TOOMANYREQUESTS', 'You have reached your unauthenticated pull rate limit.');
  const manifest = seen(exchange, readManifest(exchange, repository, reference));
  if (manifest === undefined && exchange.options.deniesMissing)
    return refuse(exchange, 403, 'DENIED', 'The requested resource requires authentication');
  if (manifest === undefined) return refuse(exchange, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  if (hidesByPolicy)
    return refuse(exchange, 412, 'PROJECTPOLICYVIOLATION', 'current image with 3 vulnerabilities cannot be pulled');
  if (pulls) {
    pulls.remaining -= 1;
    exchange.response.setHeader('ratelimit-limit', `${pulls.limit};w=21600`);
    exchange.response.setHeader('ratelimit-remaining', `${pulls.remaining};w=21600`);
  }
  if (!(exchange.request.headers.accept ?? '').includes(manifest.mediaType))
    return refuse(exchange, 406, 'MANIFEST_UNKNOWN', 'not acceptable');
  return sendStored(exchange, manifest);
};

/** "Deleting tags" and "Deleting Manifests". */
const deleteManifest = async (exchange: Exchange, repository: string, reference: string): Promise<void> => {
  const { store, options } = exchange;
  const { deletes = 'tags' } = options;
  const isTag = !reference.includes(':');
  if (deletes === 'off') return refuse(exchange, 405, 'UNSUPPORTED', 'The operation is unsupported.');
  if (isTag && deletes === 'digests')
    return refuse(exchange, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  const digest = isTag ? store.tags(repository).get(reference) : reference;
  if (digest === undefined) return refuse(exchange, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  if (isTag && deletes === 'tags') store.removeManifest(repository, reference);
  else if (!store.deleteManifest(repository, digest))
    return refuse(exchange, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
  return answer(exchange, 202);
};

/** "Listing Tags", page by page. */
const listTags = async (exchange: Exchange, repository: string): Promise<void> => {
  const { store, url, options } = exchange;
  if (store.manifests(repository).size === 0) return refuse(exchange, 404, 'NAME_UNKNOWN', 'repository name not known');
  const asked = Number(url.searchParams.get('n') ?? 1000);
  const size = Math.min(asked, options.tagsPerPage ?? asked);
  const last = url.searchParams.get('last') ?? '';
  const left = [...store.tags(repository).keys()].filter((tag) => tag > last);
  const page = left.slice(0, size);
  const query = new URLSearchParams({ n: String(size), last: page.at(-1) ?? '' });
  const next = left.length > size ? { link: `<${url.pathname}?${query}>; rel="next"` } : {};
  const body = JSON.stringify({ name: repository, tags: page.length > 0 ? page : null });
  answer(exchange, 200, { 'content-type': 'application/json', ...next }, body);
};

/** "Listing Referrers", page by page. */
const listReferrers = async (exchange: Exchange, repository: string, subject: string): Promise<void> => {
  const { url, store, options } = exchange;
  const { referrersPerPage: size, referrers } = options;
  if (referrers?.unauthorized) return refuse(exchange, 401, 'UNAUTHORIZED', 'unauthorized');
  if (size === undefined) return refuse(exchange, 404, 'UNSUPPORTED', 'no such route');
  const asked = referrers?.noFilter ? null : url.searchParams.get('artifactType');
  const all = [...store.manifests(repository)].flatMap(([digest, { bytes, mediaType }]) => {
    const content = JSON.parse(bytes.toString('utf8')) as Content;
    const artifactType = content.artifactType ?? content.config?.mediaType;
    if (content.subject?.digest !== subject || referrers?.alwaysEmpty) return [];
    if (asked !== null && artifactType !== asked) return [];
    return [{ mediaType, digest, size: bytes.length, artifactType, annotations: content.annotations }];
  });
  const start = Number(url.searchParams.get('last') ?? 0);
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: all.slice(start, start + size),
  };
  const query = new URLSearchParams(url.search);
  query.set('last', String(start + size));
  const next = start + size < all.length ? { link: `<${url.pathname}?${query}>; rel="next"` } : {};
  const applied = asked === null ? {} : { 'oci-filters-applied': 'artifactType' };
  answer(exchange, 200, { 'content-type': index.mediaType, ...next, ...applied }, JSON.stringify(index));
};

const handleToken = async (exchange: Exchange): Promise<void> => {
  const { request, url, authority } = exchange;
  const form =
    request.method === 'POST' ? new URLSearchParams((await readBody(exchange)).bytes.toString('utf8')) : undefined;
  const { status, body } = authority.token(request, url, form);
  answer(exchange, status, { 'content-type': 'application/json' }, body);
};

/** "Determining Support": what clients ask first. */
const welcome = async (exchange: Exchange): Promise<void> => {
  const { request, host, authority } = exchange;
  const challenge =
    request.headers.authorization === undefined ? authority.challenge(request, host, '', 'pull') : undefined;
  if (challenge === undefined) return answer(exchange, 200, { 'content-type': 'application/json' }, '{}');
  refuse(exchange, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
};

/** Answers one request. */
export const handle = async (exchange: Exchange): Promise<void> => {
  const { request, url, host, fault, authority } = exchange;
  if (fault?.kind === 'status') {
    await readBody(exchange);
    return answer(
      exchange,
      fault.status,
      fault.headers ?? {},
      request.method === 'HEAD' ? undefined : (fault.body ?? ''),
    );
  }
  if (fault?.kind === 'early-status') return answer(exchange, fault.status, { connection: 'close' }, 'early');
  if (fault?.kind === 'redirect') return answer(exchange, fault.status ?? 307, { location: fault.to });
  const ended = authority.endedAnswer(request);
  if (ended !== undefined) {
    await readBody(exchange);
    const body = request.method === 'HEAD' ? undefined : ended.body;
    return answer(exchange, ended.status, { 'content-type': 'text/plain' }, body);
  }
  if (url.pathname === '/token') return handleToken(exchange);
  if (url.pathname === '/v2/') return welcome(exchange);
  const [, repository, kind, rest = ''] =
    /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|referrers|tags)\/(.*)$/.exec(url.pathname) ?? [];
  if (repository === undefined) return refuse(exchange, 404, 'UNSUPPORTED', 'no such route');
  const action = request.method === 'GET' || request.method === 'HEAD' ? 'pull' : 'push';
  if (authority.isDenied(request.headers.authorization)) return refuse(exchange, 403, 'DENIED', 'denied');
  const challenge = authority.challenge(request, host, repository, kind === 'blobs/uploads' ? 'push' : action);
  if (challenge !== undefined) {
    await readBody(exchange);
    if (authority.challengesAtRootOnly)
      return action === 'pull'
        ? refuse(exchange, 404, 'NAME_UNKNOWN', 'not found')
        : refuse(exchange, 403, 'DENIED', 'unauthenticated');
    return refuse(exchange, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
  }
  const { repositories, refusesBlobHead } = exchange.options;
  if (repositories?.exists(repository) === false) {
    await readBody(exchange);
    if (request.method === 'POST' && repositories.missing === 'cut') return void exchange.socket.destroy();
    if (repositories.missing === 'challenge') {
      const challenge = `Bearer realm="http://${request.headers.host ?? host}/token",service="emulator",error="insufficient_scope"`;
      return refuse(exchange, 401, 'UNAUTHORIZED', 'access to the requested resource is not authorized', {
        'www-authenticate': challenge,
      });
    }
    return refuse(exchange, 404, 'NAME_UNKNOWN', `The repository with name '${repository}' does not exist`);
  }
  if (kind === 'blobs' && refusesBlobHead && request.method === 'HEAD') return answer(exchange, 401);
  if (kind === 'tags' && rest === 'list') return listTags(exchange, repository);
  if (kind === 'referrers') return listReferrers(exchange, repository, rest);
  if (kind === 'manifests') return handleManifest(exchange, repository, rest);
  if (kind === 'blobs') return handleBlob(exchange, repository, rest);
  return rest === '' ? openUpload(exchange, repository) : handleUpload(exchange, repository, rest);
};
