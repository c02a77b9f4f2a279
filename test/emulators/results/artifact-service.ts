import { z } from 'zod';
import type { ArtifactStore, StoredArtifact } from './artifact-store.ts';
import { type BlobStore, sha256Hex } from './blob-store.ts';
import { URL_LIFETIME_MS, type UrlSigner } from './signed-url.ts';
import type { BackendIds } from './tokens.ts';
import { type Call, type Method, method } from './twirp.ts';
import { TwirpError } from './twirp-error.ts';

export const ARTIFACT_SERVICE = 'github.actions.results.api.v1.ArtifactService';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The default, and the most that a public repository may have. */
const RETENTION_DAYS = 90;

/** The service knows nothing later than what the client 6.2.1 sends, and nothing before artifacts of version 4. */
const VERSIONS = { oldest: 4, newest: 7 };

/** int64 in protobuf's JSON. */
const int64 = z.string().regex(/^(?:0|[1-9]\d{0,18})$/, 'expected an int64 as a string');

const ids = { workflow_run_backend_id: z.string().min(1), workflow_job_run_backend_id: z.string().min(1) };

// Control characters would be as bad; the client names these.
const name = z.string().regex(/^[^":<>|*?\r\n\\/]+$/, 'contains an invalid character');

// Exactly the fields of artifact.proto as the client 6.2.1 has it, by their proto names.
const createRequest = z.strictObject({
  ...ids,
  name,
  expires_at: z.iso.datetime().optional(),
  version: z.int(),
  mime_type: z.string().optional(),
});
// A field of value zero is left out.
const finalizeRequest = z.strictObject({ ...ids, name, size: int64.default('0'), hash: z.string().optional() });
const listRequest = z.strictObject({ ...ids, name_filter: z.string().optional(), id_filter: int64.optional() });
const namedRequest = z.strictObject({ ...ids, name });

interface RequestIds {
  readonly workflow_run_backend_id: string;
  readonly workflow_job_run_backend_id: string;
}

const ownerOf = (request: RequestIds): BackendIds => ({
  run: request.workflow_run_backend_id,
  job: request.workflow_job_run_backend_id,
});

const checkRun = (owner: BackendIds, { caller }: Call): void => {
  if (owner.run !== caller.run) throw new TwirpError('permission_denied', 'token is not for this workflow run');
};

/** Who uploads or lists must say who they are. */
const checkCaller = (request: RequestIds, call: Call): BackendIds => {
  const owner = ownerOf(request);
  checkRun(owner, call);
  if (owner.job !== call.caller.job) throw new TwirpError('permission_denied', 'token is not for this job');
  return owner;
};

const expiry = (text: string | undefined, now: number): Date => {
  if (text === undefined) return new Date(now + RETENTION_DAYS * DAY_MS);
  const expires = new Date(text);
  // A minute for clocks that differ.
  if (expires.getTime() <= now || expires.getTime() > now + RETENTION_DAYS * DAY_MS + 60_000) {
    throw new TwirpError('invalid_argument', `expires_at ${text} is not within ${RETENTION_DAYS} days`);
  }
  return expires;
};

export interface ArtifactServiceParts {
  readonly artifacts: ArtifactStore;
  readonly blobs: BlobStore;
  readonly signer: UrlSigner;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** GitHub's artifact service, as strict as it is known to be. */
export const artifactService = ({ artifacts, blobs, signer, now }: ArtifactServiceParts): Record<string, Method> => {
  const signed = (path: string, { origin, expired }: Call, rights: { permission: 'cw' | 'r'; disposition?: string }) =>
    signer.sign(origin, path, { ...rights, expires: new Date(now() + (expired ? -1000 : URL_LIFETIME_MS)) });

  /** A finalized artifact; its job's ids are as the list gave them, not the caller's. */
  const existing = (request: z.infer<typeof namedRequest>, call: Call): StoredArtifact => {
    const owner = ownerOf(request);
    checkRun(owner, call);
    const found = artifacts.find(owner.run, request.name);
    if (!found?.final || found.owner.job !== owner.job) throw new TwirpError('not_found', 'artifact not found');
    return found;
  };

  return {
    CreateArtifact: method(createRequest, (request, call) => {
      const owner = checkCaller(request, call);
      if (request.version < VERSIONS.oldest || request.version > VERSIONS.newest) {
        throw new TwirpError('invalid_argument', `version ${request.version} is not supported`);
      }
      // The name is taken from the first moment on, whether or not the upload comes to its end, and for all attempts.
      if (artifacts.find(owner.run, request.name)) {
        throw new TwirpError('already_exists', 'an artifact with this name already exists on the workflow run');
      }
      const type = request.mime_type ?? 'application/zip';
      const { path } = artifacts.create(owner, request.name, type, expiry(request.expires_at, now()));
      return { ok: true, signed_upload_url: signed(path, call, { permission: 'cw' }) };
    }),
    FinalizeArtifact: method(finalizeRequest, (request, call) => {
      const owner = checkCaller(request, call);
      const found = artifacts.find(owner.run, request.name);
      if (!found || found.owner.job !== owner.job) throw new TwirpError('not_found', 'artifact not found');
      if (found.final) throw new TwirpError('failed_precondition', 'artifact is finalized already');
      const blob = blobs.get(found.path);
      if (!blob) throw new TwirpError('failed_precondition', 'nothing was uploaded');
      const { length } = blob.bytes;
      if (request.size !== String(length)) {
        throw new TwirpError('invalid_argument', `size is ${request.size}, but ${length} bytes were uploaded`);
      }
      const digest = `sha256:${sha256Hex(blob.bytes)}`;
      if (request.hash !== undefined && request.hash !== digest) {
        throw new TwirpError('invalid_argument', `hash is ${request.hash}, but what was uploaded has ${digest}`);
      }
      artifacts.finalize(found, length, digest);
      return { ok: true, artifact_id: String(found.id) };
    }),
    ListArtifacts: method(listRequest, (request, call) => {
      const { run } = checkCaller(request, call);
      const found = artifacts.all().flatMap((artifact) => {
        const { owner, id, final, expiresAt } = artifact;
        if (!final || owner.run !== run || expiresAt.getTime() <= now()) return [];
        if (request.name_filter !== undefined && request.name_filter !== artifact.name) return [];
        if (request.id_filter !== undefined && request.id_filter !== String(id)) return [];
        return [
          {
            workflow_run_backend_id: owner.run,
            workflow_job_run_backend_id: owner.job,
            database_id: String(id),
            name: artifact.name,
            size: String(final.size),
            created_at: artifact.createdAt.toISOString(),
            digest: final.digest,
          },
        ];
      });
      return { artifacts: found };
    }),
    GetSignedArtifactURL: method(namedRequest, (request, call) => {
      const { path, name, contentType } = existing(request, call);
      const file = contentType === 'application/zip' ? `${name}.zip` : name;
      const disposition = `attachment; filename="${file}"; filename*=UTF-8''${encodeURIComponent(file)}`;
      return { signed_url: signed(path, call, { permission: 'r', disposition }) };
    }),
    DeleteArtifact: method(namedRequest, (request, call) => {
      const found = existing(request, call);
      artifacts.delete(found);
      blobs.delete(found.path);
      return { ok: true, artifact_id: String(found.id) };
    }),
  };
};
