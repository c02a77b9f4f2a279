/** What a request of the distribution-spec's pull part is about. */
export type AskedTarget =
  | { readonly kind: 'api' }
  | { readonly kind: 'catalog'; readonly page: Page }
  | { readonly kind: 'tags'; readonly name: string; readonly page: Page }
  | { readonly kind: 'manifest' | 'blob' | 'referrers'; readonly name: string; readonly reference: string };

/** Which part of a list is asked for (distribution-spec, "Listing Tags"): `n` entries at most, those after `last`. */
export interface Page {
  readonly n: number | undefined;
  readonly last: string | undefined;
}

const KINDS = { manifests: 'manifest', blobs: 'blob', referrers: 'referrers' } as const;

const ABOUT_IMAGE = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/;
const TAGS = /^\/v2\/(.+)\/tags\/list$/;

/**
 * Reads the target of a request, such as `/v2/app/manifests/v1`; undefined for what no registry has. A query beside that of pages, such
 * as the `ns` of containerd's mirrors, says nothing here. Names and references are not looked at.
 */
export function parseTarget(target: string): AskedTarget | undefined {
  const at = target.indexOf('?');
  const path = decoded(at < 0 ? target : target.slice(0, at));
  if (path === undefined) return undefined;
  if (path === '/v2/' || path === '/v2') return { kind: 'api' };
  const page = pageOf(new URLSearchParams(at < 0 ? '' : target.slice(at + 1)));
  if (path === '/v2/_catalog') return { kind: 'catalog', page };
  const [, tagsOf] = TAGS.exec(path) ?? [];
  if (tagsOf !== undefined) return { kind: 'tags', name: tagsOf, page };
  const [, name, kind, reference] = ABOUT_IMAGE.exec(path) ?? [];
  if (name === undefined || reference === undefined) return undefined;
  return { kind: KINDS[kind as keyof typeof KINDS], name, reference };
}

/** Some clients write the colon of a digest as %3A. */
function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function pageOf(query: URLSearchParams): Page {
  const n = query.get('n') ?? '';
  return { n: /^\d{1,6}$/.test(n) ? Number(n) : undefined, last: query.get('last') ?? undefined };
}
