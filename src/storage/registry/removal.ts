import { z } from 'zod';
import { decodeJson } from '../../core/decode-json.ts';
import { UserError } from '../../core/error.ts';
import type { Digest } from '../../oci/digest.ts';
import type { RegistryClient } from './client.ts';
import { failureOf } from './failure.ts';
import { drain } from './fetch/response-body.ts';
import type { Reply } from './send.ts';

/** What became of a request to remove something. */
type RegistryRemovalAnswer = 'removed' | 'gone' | 'unsupported';

/** What a registry lets be listed and removed (distribution-spec 1.1, "Content Discovery" and "Content Management"). */
export interface RegistryRemoval {
  /** The tags of the repository. Throws UserError, `registry` where it does not list them. */
  tags(): Promise<string[]>;
  /** Removes a manifest, and with it all its tags. Throws UserError. */
  removeManifest(digest: Digest): Promise<RegistryRemovalAnswer>;
  /** Removes a tag alone. `unsupported` where the registry does not know that; what some of them remove is the manifest. */
  removeTag(tag: string): Promise<RegistryRemovalAnswer>;
}

/** Tags asked for at once: the most that all registries give. */
const PAGE = 1000;

/** More pages than there can be: a million tags. It ends a list whose pages never do. */
const PAGES = 1000;

/** Bytes of one page: tags have at most 128 characters. */
const PAGE_LIMIT = 4 * 1024 * 1024;

const pageSchema = z.looseObject({ tags: z.array(z.string()).nullish() });

/** What registries answer that do not let manifests be removed; distribution says so where `delete` is not enabled. */
const REFUSED = [405, 501];

/** And what they answer to a tag where they want a digest: 400 (distribution 2.8, DIGEST_INVALID; others UNSUPPORTED). */
const TAG_REFUSED = [400, ...REFUSED];

/** The part of a repository's interface that removes. */
export function registryRemoval(client: RegistryClient, scopes: readonly string[]): RegistryRemoval {
  const remove = async (reference: string, unsupported: readonly number[]): Promise<RegistryRemovalAnswer> => {
    const request = { method: 'DELETE', url: client.url(`manifests/${reference}`), scopes } as const;
    const { response } = await client.send(request, [200, 202, 204, 404, ...unsupported]);
    await drain(response);
    // It is not late any more where it is not shown.
    client.written.delete(reference);
    if (unsupported.includes(response.status)) return 'unsupported';
    return response.status === 404 ? 'gone' : 'removed';
  };
  return {
    tags: () => listTags(client),
    removeManifest: (digest) => remove(digest, REFUSED),
    removeTag: (tag) => remove(tag, TAG_REFUSED),
  };
}

async function listTags(client: RegistryClient): Promise<string[]> {
  const found = new Set<string>();
  let next: URL | undefined = client.url('tags/list');
  next.searchParams.set('n', String(PAGE));
  for (let page = 0; next !== undefined && page < PAGES; page += 1) {
    const reply: Reply = await client.send({ method: 'GET', url: next, bodyLimit: PAGE_LIMIT }, [200, 404]);
    if (reply.body === undefined) throw await unlisted(reply);
    const { tags } = decodeJson(reply.body, pageSchema, {
      code: 'registry',
      what: `the list of tags at ${next.host}`,
      hint: 'The registry does not answer as distribution-spec says; check its address.',
    });
    for (const tag of tags ?? []) found.add(tag);
    const [, link] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(reply.response.headers.get('link') ?? '') ?? [];
    next = link === undefined ? undefined : client.resolve(link, reply);
  }
  return [...found];
}

async function unlisted(reply: Reply): Promise<UserError> {
  const { code, message, cause } = await failureOf(reply);
  return new UserError(code, message, {
    hint: 'Check the name of the repository. A registry that does not list its tags cannot be pruned.',
    cause,
  });
}
