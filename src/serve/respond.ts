import type { Json } from '../core/canonical-json.ts';
import { UserError } from '../core/error.ts';
import { type Digest, digestHex, isDigest } from '../oci/digest.ts';
import { indexBytes } from '../oci/manifest.ts';
import { isIndexType, MEDIA_TYPE } from '../oci/media-type.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { CHALLENGE, type MayRead } from './access.ts';
import { answerOf, type ByteStream, errorAnswer, jsonAnswer, type RegistryAnswer, streamAnswer } from './answer.ts';
import { type AskedTarget, type Page, parseTarget } from './asked.ts';
import { parseByteRange } from './byte-range.ts';
import type { ServedBlob, ServedImage } from './served-image.ts';

/** What is served. */
export interface Shelf {
  /** Names of all images, in order. */
  names(): Promise<readonly string[]>;
  /** An image as it is defined now; undefined where there is none of that name. Throws UserError where it cannot be made. */
  find(name: string): Promise<ServedImage | undefined>;
  /** What a name has stood for lately, the newest first: a client may be in the middle of it. Makes nothing. */
  held(name: string): readonly ServedImage[];
}

/** What is read of a request. */
export interface Request {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly authorization: string | undefined;
  readonly accept: string | undefined;
  readonly range: string | undefined;
}

interface World {
  readonly shelf: Shelf;
  readonly mayRead: MayRead;
}

/** Answers a request as the pull part of the distribution-spec asks; what would write is refused. Throws what is a bug or a cancelled run. */
export async function respond(request: Request, { shelf, mayRead }: World): Promise<RegistryAnswer> {
  if (!mayRead(request.authorization)) {
    const message = 'a login is required: any user name, with the token as password';
    return errorAnswer(401, 'UNAUTHORIZED', message, { 'www-authenticate': CHALLENGE });
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const message = 'this registry is read-only: it serves images as they are defined';
    return errorAnswer(405, 'UNSUPPORTED', message, { allow: 'GET, HEAD' });
  }
  const asked = parseTarget(request.target);
  if (asked === undefined) return errorAnswer(404, 'UNKNOWN', `${request.target} is not a path of a registry`);
  const answer = await answerTo(asked, request, shelf).catch((error: unknown) => failed(error));
  return request.method === 'HEAD' ? { status: answer.status, headers: answer.headers } : answer;
}

/** What cannot be evaluated or built now is not there, and clients do not ask for it again and again, as they do after a 500. */
function failed(error: unknown): RegistryAnswer {
  if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
  return errorAnswer(404, 'MANIFEST_UNKNOWN', error.hint ? `${error.message} (${error.hint})` : error.message);
}

async function answerTo(asked: AskedTarget, request: Request, shelf: Shelf): Promise<RegistryAnswer> {
  if (asked.kind === 'api') return jsonAnswer({});
  if (asked.kind === 'catalog')
    return listAnswer('/v2/_catalog', await shelf.names(), asked.page, (part) => ({ repositories: part }));
  const { name } = asked;
  if (asked.kind === 'tags') {
    const image = await shelf.find(name);
    return image
      ? listAnswer(`/v2/${name}/tags/list`, image.tags, asked.page, (tags) => ({ name, tags }))
      : unknownName(name, shelf);
  }
  if (asked.kind === 'manifest') return manifestAnswer(name, asked.reference, request, shelf);
  const { reference } = asked;
  if (!isDigest(reference)) {
    return errorAnswer(
      404,
      'BLOB_UNKNOWN',
      `${JSON.stringify(reference)} is not a digest: sha256: and 64 hexadecimal digits`,
    );
  }
  if (asked.kind === 'referrers') {
    if (!(await shelf.find(name))) return unknownName(name, shelf);
    return answerOf(200, MEDIA_TYPE.index, indexBytes([], {}));
  }
  const blob = await inHeld(name, shelf, ({ platforms }) => {
    for (const { blobs } of platforms) if (blobs.has(reference)) return blobs.get(reference);
    return undefined;
  });
  if (blob === 'unknown name') return unknownName(name, shelf);
  return blob ? blobAnswer(blob, request) : errorAnswer(404, 'BLOB_UNKNOWN', `${name} has no blob ${reference}`);
}

/** A tag that means one manifest for ever, for engines that give what they pulled by digest no name that can be taken away again. */
export const fixedTag = (digest: Digest): string => `id-${digestHex(digest)}`;

const digestIn = (reference: string): string => reference.replace(/^id-(?=[0-9a-f]{64}$)/, 'sha256:');

async function manifestAnswer(name: string, asked: string, { accept }: Request, shelf: Shelf): Promise<RegistryAnswer> {
  const reference = digestIn(asked);
  if (isDigest(reference)) {
    const found = await inHeld(name, shelf, ({ index, platforms }) =>
      [index, ...platforms.map(({ manifest }) => manifest)].find(({ digest }) => digest === reference),
    );
    if (found === 'unknown name') return unknownName(name, shelf);
    return found ? documentAnswer(found) : errorAnswer(404, 'MANIFEST_UNKNOWN', `${name} has no manifest ${reference}`);
  }
  const image = await shelf.find(name);
  if (!image) return unknownName(name, shelf);
  if (image.tags.includes(reference)) return documentAnswer(acceptable(image, accept));
  return errorAnswer(404, 'MANIFEST_UNKNOWN', `${name} has no tag ${reference}; it has ${image.tags.join(', ')}`);
}

/** The index, or this machine's own image for a client that says what it takes and does not name indexes. */
function acceptable({ index, platforms: [own] }: ServedImage, accept: string | undefined): StoredManifest {
  const types = (accept ?? '').split(',').map((type) => type.split(';', 1)[0]?.trim() ?? '');
  const takesImages = types.includes(MEDIA_TYPE.manifest) || types.includes(MEDIA_TYPE.dockerManifest);
  const takesIndexes = types.some((type) => isIndexType(type) || type === '*/*');
  return takesImages && !takesIndexes && own ? own.manifest : index;
}

const documentAnswer = ({ mediaType, bytes, digest }: StoredManifest): RegistryAnswer =>
  answerOf(200, mediaType, bytes, { 'docker-content-digest': digest, etag: `"${digest}"` });

/** Looks in what a name has stood for; where it is not there, the image as it is now is made first. */
async function inHeld<T>(
  name: string,
  shelf: Shelf,
  look: (image: ServedImage) => T | undefined,
): Promise<T | 'unknown name' | undefined> {
  for (const image of shelf.held(name)) {
    const found = look(image);
    if (found !== undefined) return found;
  }
  const now = await shelf.find(name);
  return now ? look(now) : 'unknown name';
}

async function unknownName(name: string, shelf: Shelf): Promise<RegistryAnswer> {
  const names = await shelf.names();
  const has = names.length > 0 ? `; there is ${names.join(', ')}` : '';
  return errorAnswer(404, 'NAME_UNKNOWN', `no image has the name ${name}${has}`);
}

/** A list, or the part of it that is asked for, with a link to the next one. */
function listAnswer(
  path: string,
  all: readonly string[],
  { n, last }: Page,
  documentOf: (part: readonly string[]) => Json,
): RegistryAnswer {
  const sorted = [...all].sort();
  const after = last === undefined ? sorted : sorted.filter((entry) => entry > last);
  const part = n === undefined ? after : after.slice(0, n);
  const end = part.at(-1);
  const isWhole = part.length === after.length || end === undefined;
  const link = isWhole ? {} : { link: `<${path}?n=${n}&last=${encodeURIComponent(end)}>; rel="next"` };
  return jsonAnswer(documentOf(part), link);
}

function blobAnswer(
  { descriptor: { digest, size }, title, open }: ServedBlob,
  { method, range: header }: Request,
): RegistryAnswer {
  // Of a layer it says the content, not the packing: clients go by what the manifest says.
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    etag: `"${digest}"`,
    'accept-ranges': 'bytes',
  };
  const range = parseByteRange(header, size);
  if (range === 'unsatisfiable') {
    return errorAnswer(416, 'UNKNOWN', `${digest} has ${size} bytes`, { 'content-range': `bytes */${size}` });
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  const length = end - start + 1;
  const body = method === 'HEAD' ? undefined : { ...atMost(open(start), length), name: title };
  const sized = { ...headers, 'content-length': String(length) };
  if (!range) return streamAnswer(200, sized, body);
  return streamAnswer(206, { ...sized, 'content-range': `bytes ${start}-${end}/${size}` }, body);
}

/** The first `length` bytes; what makes them is stopped then. */
function atMost({ chunks, release }: ByteStream, length: number): ByteStream {
  async function* first(): AsyncGenerator<Uint8Array> {
    let left = length;
    for await (const chunk of chunks) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      if (part.length > 0) yield part;
      if (left === 0) return;
    }
  }
  return { chunks: first(), ...(release ? { release } : {}) };
}
