import type { Descriptor } from '../../../oci/descriptor.ts';
import type { RegistryClient } from '../client.ts';
import { drain } from '../fetch/response-body.ts';

/** `bytes 0-0/SIZE`, of an answer with the first byte alone. */
const sizeInRange = (response: Response): string | null =>
  /^bytes 0-0\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? null;

/**
 * Whether a repository holds a blob, in the way its registry can be asked. One of another size is not it. Throws UserError
 * when the registry refuses.
 */
export async function lookUpBlob(client: RegistryClient, { digest, size }: Descriptor): Promise<boolean> {
  const known = await client.ways.lookUp?.(digest);
  if (known !== undefined) return known;
  const url = client.url(`blobs/${digest}`);
  if (client.ways.answersHead) {
    const { response } = await client.send({ method: 'HEAD', url }, [200, 404]);
    await drain(response);
    const length = response.headers.get('content-length');
    return response.status === 200 && (length === null || Number(length) === size);
  }
  const headers = { range: 'bytes=0-0' };
  const { response } = await client.send({ method: 'GET', url, headers }, [200, 206, 404]);
  // The whole blob comes where ranges are not known; nobody waits for it.
  await response.body?.cancel();
  const length = response.status === 206 ? sizeInRange(response) : response.headers.get('content-length');
  return response.status !== 404 && (length === null || Number(length) === size);
}
