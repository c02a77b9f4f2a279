import { type Body, bodyOf } from '../../../core/body.ts';
import { UserError } from '../../../core/error.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { RegistryClient } from '../client.ts';
import { redactUrl, withQuery } from '../endpoint.ts';
import { statusOf } from '../failure.ts';
import { drain } from '../fetch/response-body.ts';
import type { RegistryRequest, Reply, StreamedBody } from '../send.ts';

/** The answer to a mount: done, or an ordinary upload that the registry opened instead. */
type MountAnswer = 'mounted' | URL;

function requireLocation(client: RegistryClient, reply: Reply): URL {
  const location = client.location(reply);
  if (location !== undefined) return location;
  throw new UserError('registry', `POST ${redactUrl(reply.url)} opened an upload without a Location`, {
    hint: 'The registry, or a proxy in front of it, does not follow the distribution protocol.',
  });
}

/** What a registry asks of chunks (distribution-spec, "Pushing a blob in chunks"), in bytes. */
function minimumOf({ response }: Reply): number {
  const text = response.headers.get('oci-chunk-min-length') ?? '';
  return /^\d{1,12}$/.test(text) ? Number(text) : 0;
}

const OCTETS = { 'content-type': 'application/octet-stream' };

/** One open upload at a registry. Its URL changes with each reply; an old one may be refused. */
export class UploadSession {
  readonly minimumChunk: number;
  readonly #client: RegistryClient;
  #location: URL;

  private constructor(client: RegistryClient, location: URL, minimumChunk: number) {
    this.#client = client;
    this.#location = location;
    this.minimumChunk = minimumChunk;
  }

  static async open(client: RegistryClient): Promise<UploadSession> {
    const reply = await client.send({ method: 'POST', url: client.url('blobs/uploads/') }, [202]);
    await drain(reply.response);
    return new UploadSession(client, requireLocation(client, reply), minimumOf(reply));
  }

  /** Goes on with an upload that was opened by a mount which the registry would not do. */
  static resume(client: RegistryClient, location: URL): UploadSession {
    return new UploadSession(client, location, 0);
  }

  get url(): URL {
    return this.#location;
  }

  /** Sends all bytes as they come, once. Any status comes back, perhaps before all are sent; a broken connection throws. */
  stream(body: StreamedBody, stop: AbortSignal): Promise<Reply> {
    return this.#patch({ headers: OCTETS, body, stop });
  }

  /** Sends a whole blob in one PATCH, once. Any status comes back; a broken connection throws. */
  fill(body: Body): Promise<Reply> {
    return this.#patch({ headers: OCTETS, body });
  }

  /** Sends one chunk, once. Any status comes back; a broken connection throws. */
  patch(chunk: Body, offset: number): Promise<Reply> {
    const range = `${offset}-${offset + chunk.length - 1}`;
    return this.#patch({ headers: { ...OCTETS, 'content-range': range }, body: chunk });
  }

  async #patch(request: Pick<RegistryRequest, 'headers' | 'body' | 'stop'>): Promise<Reply> {
    const reply = await this.#client.sendOnce({ method: 'PATCH', url: this.#location, ...request });
    if (reply.response.ok) this.#location = this.#client.location(reply) ?? this.#location;
    return reply;
  }

  /** How many bytes the registry has, by its own word; undefined when it forgot the upload. */
  async received(): Promise<number | undefined> {
    const reply = await this.#client.send({ method: 'GET', url: this.#location }, [204, 200, 202, 404]);
    await drain(reply.response);
    if (reply.response.status === 404) return undefined;
    this.#location = this.#client.location(reply) ?? this.#location;
    // "0-0" is what registries say for nothing as well as for one byte; no chunk is that small.
    const last = Number(/^(?:bytes[= ])?0-(\d{1,15})$/.exec(reply.response.headers.get('range') ?? '')?.[1] ?? 0);
    return last === 0 ? 0 : last + 1;
  }

  /** Ends the upload, with the last bytes if there are any. Throws UserError `digest` when the registry finds another digest. */
  async finish(digest: Digest, body: Body = bodyOf(Buffer.alloc(0))): Promise<void> {
    const url = withQuery(this.#location, [['digest', digest]]);
    const headers = { ...OCTETS, 'content-length': String(body.length) };
    const reply = await this.#client.send({ method: 'PUT', url, headers, body }, [201, 204]);
    await drain(reply.response);
  }

  /** Tells the registry to forget the upload. Registries that cannot do that let it expire; never throws. */
  async cancel(): Promise<void> {
    try {
      const { response } = await this.#client.sendOnce({ method: 'DELETE', url: this.#location });
      await drain(response);
    } catch (error) {
      this.#client.log.debug(`the upload ${redactUrl(this.#location)} could not be cancelled: ${String(error)}`);
    }
  }
}

/**
 * Asks the registry to copy a blob from another of its repositories. Undefined when it may not or cannot:
 * then the blob is sent like every other.
 */
export async function requestMount(
  client: RegistryClient,
  digest: Digest,
  from: string,
  scopes: readonly string[],
): Promise<MountAnswer | undefined> {
  const url = withQuery(client.url('blobs/uploads/'), [
    ['mount', digest],
    ['from', from],
  ]);
  try {
    const reply = await client.send({ method: 'POST', url, scopes }, [201, 202]);
    await drain(reply.response);
    return reply.response.status === 201 ? 'mounted' : requireLocation(client, reply);
  } catch (error) {
    // No right to read the other repository, or a registry that does not know mounts.
    if ([400, 401, 403, 404, 405].includes(statusOf(error) ?? 0)) return undefined;
    throw error;
  }
}
