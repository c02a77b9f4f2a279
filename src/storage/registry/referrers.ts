import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { MEDIA_TYPE } from '../../oci/media-type.ts';
import { MANIFEST_LIMIT, parseIndex } from '../../oci/read-manifest.ts';
import type { RegistryClient } from './client.ts';
import { drain } from './fetch/response-body.ts';

/** What registries answer that do not know the request; Harbor 2.7 answers 401 whoever asks. */
const UNKNOWN = [400, 401, 404, 405, 501];

/** Pages of one list: more are not list that anybody made on purpose. */
const PAGES = 100;

/**
 * What a registry lists as referrers of a manifest (distribution-spec, "Listing Referrers"), of one type where the registry can
 * choose; undefined where it does not know that request. Throws UserError `registry`.
 */
export async function requestReferrers(
  client: RegistryClient,
  digest: Digest,
  artifactType: string | undefined,
): Promise<Descriptor[] | undefined> {
  const found: Descriptor[] = [];
  let next: URL | undefined = client.url(`referrers/${digest}`);
  if (artifactType !== undefined) next.searchParams.set('artifactType', artifactType);
  for (let page = 0; next !== undefined && page < PAGES; page += 1) {
    const headers = { accept: MEDIA_TYPE.index };
    const reply = await client.send({ method: 'GET', url: next, headers, bodyLimit: MANIFEST_LIMIT }, [
      200,
      ...UNKNOWN,
    ]);
    const { response, body } = reply;
    if (body === undefined) {
      await drain(response);
      return undefined;
    }
    // Some that do not know the request show a page for people.
    if (!(response.headers.get('content-type') ?? '').startsWith(MEDIA_TYPE.index)) return undefined;
    const index = { bytes: body, mediaType: MEDIA_TYPE.index, digest: digestOf(body) };
    found.push(...parseIndex(index, `${next.href}`).manifests);
    const [, link] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(response.headers.get('link') ?? '') ?? [];
    next = link === undefined ? undefined : client.resolve(link, reply);
  }
  return found;
}
