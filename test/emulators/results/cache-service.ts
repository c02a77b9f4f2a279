import { z } from 'zod';
import type { BlobStore } from './blob-store.ts';
import type { CacheState } from './cache-state.ts';
import { URL_LIFETIME_MS, type UrlSigner } from './signed-url.ts';
import { type Call, type Method, method } from './twirp.ts';
import { TwirpError } from './twirp-error.ts';

export const CACHE_SERVICE = 'github.actions.results.api.v1.CacheService';

const MINUTE_MS = 60_000;

/** Entries that a repository may create a minute (github.blog changelog, 2026-01-16). */
const UPLOADS_A_MINUTE = 200;

// docs.github.com, "Dependency caching reference": at most 512 characters, no comma.
const key = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[^,]*$/, 'contains a comma');

/** The SHA-256 that the client makes of paths and compression. */
const version = z.string().regex(/^[0-9a-f]{64}$/);

// Exactly the fields of cache.proto as the client 6.3.0 sends them.
const createRequest = z.strictObject({ key, version });
const finalizeRequest = z.strictObject({ key, version, size_bytes: z.string().regex(/^[1-9]\d{0,18}$/) });
const lookUpRequest = z.strictObject({ key, version, restore_keys: z.array(key).max(9).default([]) });

/** How the service is all the time. */
export interface CacheModes {
  /** Entries that may be created a minute. Default: 200. */
  readonly uploadsAMinute?: number;
  /** Whether a 429 says when to come back. Default: true. */
  readonly saysRetryAfter?: boolean;
  /** The account's budget for caches is spent. */
  readonly isSpent?: boolean;
  /** A scheme and host for blobs other than this server's, which is then asked as a proxy. */
  readonly blobOrigin?: string;
}

export interface CacheServiceParts extends CacheModes {
  readonly caches: CacheState;
  readonly blobs: BlobStore;
  readonly signer: UrlSigner;
  readonly now: () => number;
}

/** GitHub's cache service, version 2, as strict as it is known to be. */
export const cacheService = (parts: CacheServiceParts): Record<string, Method> => {
  const { caches, blobs, signer, now, uploadsAMinute = UPLOADS_A_MINUTE, saysRetryAfter = true } = parts;
  const created: number[] = [];

  const signed = (path: string, { origin, expired }: Call, permission: 'cw' | 'r') =>
    signer.sign(parts.blobOrigin ?? origin, path, {
      permission,
      expires: new Date(now() + (expired ? -1000 : URL_LIFETIME_MS)),
    });

  const limit = (): void => {
    while (created[0] !== undefined && created[0] <= now() - MINUTE_MS) created.shift();
    if (created.length < uploadsAMinute) return;
    const seconds = Math.ceil(((created[0] ?? now()) + MINUTE_MS - now()) / 1000);
    const headers: Record<string, string> = saysRetryAfter ? { 'retry-after': String(seconds) } : {};
    throw new TwirpError('resource_exhausted', 'rate limit exceeded', headers);
  };

  const writable = ({ caller }: Call): string | undefined =>
    caller.scopes.find(({ permission }) => permission === 'read-write')?.ref;

  return {
    CreateCacheEntry: method(createRequest, (request, call) => {
      const ref = writable(call);
      if (ref === undefined) {
        return { ok: false, message: 'cache write denied: the token of this run may only read caches' };
      }
      if (parts.isSpent) throw new TwirpError('permission_denied', 'insufficient usage to allow this request');
      limit();
      const entry = caches.reserve(ref, request.key, request.version);
      if (!entry) {
        throw new TwirpError('already_exists', 'cache entry with the same key, version, and scope already exists');
      }
      created.push(now());
      return { ok: true, signed_upload_url: signed(entry.path, call, 'cw') };
    }),
    FinalizeCacheEntryUpload: method(finalizeRequest, (request, call) => {
      const entry = caches.find(writable(call) ?? '', request.key, request.version);
      if (!entry || entry.size !== undefined) throw new TwirpError('not_found', 'cache entry upload not found');
      const length = blobs.get(entry.path)?.bytes.length;
      if (request.size_bytes !== String(length)) {
        throw new TwirpError('invalid_argument', `size is ${request.size_bytes}, but ${length} bytes were uploaded`);
      }
      caches.finalize(entry, length ?? 0);
      return { ok: true, entry_id: String(entry.id) };
    }),
    GetCacheEntryDownloadURL: method(lookUpRequest, (request, call) => {
      if (call.caller.scopes.length === 0) {
        throw new TwirpError('permission_denied', 'cache read denied: the token of this run has no readable scopes');
      }
      const refs = call.caller.scopes.map(({ ref }) => ref);
      const found = caches.lookUp(refs, request.version, [request.key, ...request.restore_keys]);
      if (!found) return { ok: false };
      return { ok: true, signed_download_url: signed(found.path, call, 'r'), matched_key: found.key };
    }),
  };
};
