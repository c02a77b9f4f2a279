import { type Body, bodyOf } from '../../core/body.ts';
import { UserError } from '../../core/error.ts';
import type { Digest } from '../../oci/digest.ts';
import { redactUrl, resolveLocation, withQuery } from './endpoint.ts';
import { statusOf } from './failure.ts';
import type { RegistryApi } from './registry-api.ts';
import { drain } from './response-body.ts';
import type { StreamedBody } from './streamed-body.ts';
import type { Reply } from './transport.ts';

/** The answer to a mount: done, or an ordinary upload that the registry opened instead. */
export type MountAnswer = 'mounted' | URL;

const locationOf = (api: RegistryApi, { response, url }: Reply): URL | undefined => {
  const location = response.headers.get('location');
  return location === null ? undefined : resolveLocation(location, url, api.plainHosts);
};

const requireLocation = (api: RegistryApi, reply: Reply): URL => {
  const location = locationOf(api, reply);
  if (location !== undefined) return location;
  throw new UserError('registry', `POST ${redactUrl(reply.url)} opened an upload without a Location`, {
    hint: 'The registry, or a proxy in front of it, does not follow the distribution protocol.',
  });
};

/** What a registry asks of chunks (distribution-spec, "Pushing a blob in chunks"), in bytes. */
const minimumOf = ({ response }: Reply): number => {
  const text = response.headers.get('oci-chunk-min-length') ?? '';
  return /^\d{1,12}$/.test(text) ? Number(text) : 0;
};

/** One open upload at a registry. Its URL changes with each reply; an old one may be refused. */
export class UploadSession {
  readonly minimumChunk: number;
  readonly #api: RegistryApi;
  #location: URL;

  private constructor(api: RegistryApi, location: URL, minimumChunk: number) {
    this.#api = api;
    this.#location = location;
    this.minimumChunk = minimumChunk;
  }

  static async open(api: RegistryApi): Promise<UploadSession> {
    const reply = await api.send({ method: 'POST', url: `${api.base}/blobs/uploads/`, expect: [202] });
    await drain(reply.response, api.signal);
    return new UploadSession(api, requireLocation(api, reply), minimumOf(reply));
  }

  /** Takes over an upload that was opened by a mount which the registry would not do. */
  static resume(api: RegistryApi, location: URL): UploadSession {
    return new UploadSession(api, location, 0);
  }

  get url(): URL {
    return this.#location;
  }

  /** Sends all bytes as they come, once. Any status comes back, perhaps before all are sent; a broken connection throws. */
  async stream(body: StreamedBody, signal: AbortSignal): Promise<Reply & { readonly isRenewed: boolean }> {
    const reply = await this.#api.transport.stream({
      method: 'PATCH',
      url: this.#location,
      scopes: this.#api.scopes,
      headers: { 'content-type': 'application/octet-stream' },
      body,
      signal,
    });
    if (reply.response.ok) this.#location = locationOf(this.#api, reply) ?? this.#location;
    return reply;
  }

  /** Sends one chunk, once. Any status comes back; a broken connection throws. */
  async patch(chunk: Body, offset: number): Promise<Reply> {
    const reply = await this.#api.transport.exchange({
      method: 'PATCH',
      url: this.#location,
      scopes: this.#api.scopes,
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `${offset}-${offset + chunk.length - 1}`,
      },
      body: chunk,
      expect: [202],
    });
    if (reply.response.ok) this.#location = locationOf(this.#api, reply) ?? this.#location;
    return reply;
  }

  /** How many bytes the registry has, by its own word; undefined when it forgot the upload. */
  async received(): Promise<number | undefined> {
    const reply = await this.#api.send({ method: 'GET', url: this.#location, expect: [204, 200, 202, 404] });
    await drain(reply.response, this.#api.signal);
    if (reply.response.status === 404) return undefined;
    this.#location = locationOf(this.#api, reply) ?? this.#location;
    // "0-0" is what registries say for nothing as well as for one byte; no chunk is that small.
    const last = Number(/^(?:bytes[= ])?0-(\d{1,15})$/.exec(reply.response.headers.get('range') ?? '')?.[1] ?? 0);
    return last === 0 ? 0 : last + 1;
  }

  /** Ends the upload, with the last bytes if there are any. Throws UserError `digest` when the registry finds another digest. */
  async finish(digest: Digest, body: Body = bodyOf(Buffer.alloc(0))): Promise<void> {
    const reply = await this.#api.send({
      method: 'PUT',
      url: withQuery(this.#location, [['digest', digest]]),
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(body.length) },
      body,
      expect: [201, 204],
    });
    await drain(reply.response, this.#api.signal);
  }

  /** Tells the registry to forget the upload. Registries that cannot do that let it expire; never throws. */
  async cancel(): Promise<void> {
    try {
      const { response } = await this.#api.transport.exchange({
        method: 'DELETE',
        url: this.#location,
        scopes: this.#api.scopes,
        expect: [],
      });
      await drain(response);
    } catch (error) {
      this.#api.log.debug(`the upload ${redactUrl(this.#location)} could not be cancelled: ${String(error)}`);
    }
  }
}

/**
 * Asks the registry to take a blob over from another of its repositories. Undefined when it may not or cannot:
 * then the blob is sent as any other.
 */
export const requestMount = async (
  api: RegistryApi,
  digest: Digest,
  from: string,
  scopes: readonly string[],
): Promise<MountAnswer | undefined> => {
  const url = withQuery(`${api.base}/blobs/uploads/`, [
    ['mount', digest],
    ['from', from],
  ]);
  try {
    const reply = await api.send({ method: 'POST', url, scopes, expect: [201, 202] });
    await drain(reply.response, api.signal);
    return reply.response.status === 201 ? 'mounted' : requireLocation(api, reply);
  } catch (error) {
    // No right to read the other repository, or a registry that does not know mounts.
    if ([400, 401, 403, 404, 405].includes(statusOf(error) ?? 0)) return undefined;
    throw error;
  }
};
