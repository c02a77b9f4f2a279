import type { Descriptor } from '../../../oci/descriptor.ts';
import type { RegistryClient } from '../client.ts';
import { statusOf } from '../failure.ts';
import { drain } from '../fetch/response-body.ts';

/** `bytes 0-0/SIZE`, of an answer with the first byte alone. */
const sizeInRange = (response: Response): string | null =>
  /^bytes 0-0\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? null;

/** What a registry answers to a HEAD that it does not answer as it should: it may all the same let us read. */
const REFUSED = [401, 403, 405];

/** Asks which blobs a repository holds, in the way its registry can be asked. */
export class BlobLookup {
  readonly #client: RegistryClient;
  #answersHead: boolean;

  constructor(client: RegistryClient) {
    this.#client = client;
    this.#answersHead = client.ways.answersHead;
  }

  /** Whether a blob is there. One of another size is not it. Throws UserError when the registry refuses. */
  async has(descriptor: Descriptor): Promise<boolean> {
    const known = await this.#client.ways.lookUp?.(descriptor.digest);
    if (known !== undefined) return known;
    if (!this.#answersHead) return byStart(this.#client, descriptor);
    try {
      return await byHead(this.#client, descriptor);
    } catch (error) {
      if (!REFUSED.includes(statusOf(error) ?? 0)) throw error;
      // An error of rights is the HEAD's, unless the GET works.
      const isThere = await byStart(this.#client, descriptor).catch(() => {
        throw error;
      });
      this.#answersHead = false;
      return isThere;
    }
  }
}

/** Whether a registry that was sent a blob shows it in another size. One that shows nothing yet is late, or cannot be asked. */
export async function isShownOtherwise(client: RegistryClient, { digest, size }: Descriptor): Promise<boolean> {
  const { lookUp, answersHead } = client.ways;
  if (lookUp !== undefined || !answersHead) return false;
  const reply = await client.send({ method: 'HEAD', url: client.url(`blobs/${digest}`) }, [200, 404, ...REFUSED]);
  await drain(reply.response);
  const length = reply.response.headers.get('content-length');
  return reply.response.status === 200 && length !== null && Number(length) !== size;
}

async function byHead(client: RegistryClient, { digest, size }: Descriptor): Promise<boolean> {
  const { response } = await client.send({ method: 'HEAD', url: client.url(`blobs/${digest}`) }, [200, 404]);
  await drain(response);
  const length = response.headers.get('content-length');
  return response.status === 200 && (length === null || Number(length) === size);
}

async function byStart(client: RegistryClient, { digest, size }: Descriptor): Promise<boolean> {
  const headers = { range: 'bytes=0-0' };
  const url = client.url(`blobs/${digest}`);
  const { response } = await client.send({ method: 'GET', url, headers }, [200, 206, 404]);
  // The whole blob comes where ranges are not known; nobody waits for it.
  await response.body?.cancel();
  const length = response.status === 206 ? sizeInRange(response) : response.headers.get('content-length');
  return response.status !== 404 && (length === null || Number(length) === size);
}
