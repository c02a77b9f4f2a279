import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Effects } from '../../core/effects.ts';
import { UserError } from '../../core/error.ts';
import { onFirstUse } from '../../core/on-first-use.ts';
import { DEFAULT_RETRY, type RetryPolicy, repeat } from '../../core/retry.ts';
import { type Digest, endDigest, isDigest } from '../../oci/digest.ts';
import type { GitHubApi } from './octokit.ts';
import { allPages } from './pages.ts';
import { assetSchema, releaseSchema } from './release-schema.ts';
import { githubError, openRepositoryApi } from './repository-api.ts';
import { restFailure } from './rest-failure.ts';

/** An asset of a release; its size is in bytes. */
export interface ReleaseAsset {
  readonly id: number;
  readonly name: string;
  readonly size: number;
  /** Whether all of it is there. */
  readonly isWhole: boolean;
  /** Undefined where GitHub does not say. */
  readonly digest: Digest | undefined;
}

/** A release that assets are added to. */
export interface OpenRelease {
  readonly id: number;
  readonly isDraft: boolean;
  readonly isImmutable: boolean;
  readonly body: string;
  /** Its page. */
  readonly url: string;
  /** The address for uploads, which are at a host of their own, as a template. */
  readonly uploadUrl: string;
}

/** Bytes to send under a name. */
interface Upload {
  readonly name: string;
  readonly size: number;
  /** Called again for each try. */
  read(): AsyncIterable<Uint8Array>;
}

/** The release of one tag, as what it takes to fill it. Methods throw UserError `credentials`, `github` or `cancelled`. */
export interface ReleaseUploads {
  /** The published one, or drafts for the tag, which only who may write sees; GitHub allows several. */
  find(): Promise<readonly OpenRelease[]>;
  /** A draft. Its tag is made when it is published, where there is none, at `commit` (default: the default branch). */
  create(body: string, commit: string | undefined): Promise<OpenRelease>;
  /** All of its assets, with those that were cut off. */
  assets(release: OpenRelease): Promise<readonly ReleaseAsset[]>;
  /** Sends an asset, and again where that may help; what was cut off is deleted before. */
  upload(release: OpenRelease, file: Upload): Promise<ReleaseAsset>;
  rename(asset: ReleaseAsset, name: string): Promise<void>;
  remove(asset: ReleaseAsset): Promise<void>;
  /** Sets its text, and publishes it where it is to be no draft any more. */
  update(release: OpenRelease, change: { readonly body: string; readonly draft: boolean }): Promise<void>;
}

interface Deps extends GitHubApi, Pick<Effects, 'clock'> {
  /** `OWNER/NAME`. */
  readonly repository: string;
  readonly tag: string;
  /** Default: that of registries. */
  readonly policy?: RetryPolicy;
}

const WRITE = 'contents: write';

/** Opens it; nothing is loaded or asked before the first call. */
export function releaseUploads(deps: Deps): ReleaseUploads {
  const { repository, tag, signal, clock, log, policy = DEFAULT_RETRY } = deps;
  const where = `the release ${tag} of ${repository}`;
  const client = onFirstUse(() => openRepositoryApi(deps));
  const isMissing = (error: unknown): boolean => restFailure(error, signal).status === 404;
  const asked = async <T>(what: string, work: (api: Awaited<ReturnType<typeof client>>) => Promise<T>): Promise<T> => {
    const api = await client();
    return work(api).catch((error: unknown) => {
      throw refusal(error, what);
    });
  };
  const refusal = (error: unknown, what: string): unknown => {
    if (error instanceof UserError) return error;
    if (error instanceof Error && /immutable release/i.test(error.message)) return immutable(where);
    // What the token may not see is not there, as GitHub says it.
    if (isMissing(error)) return unseen(`cannot ${what} ${where}`);
    return githubError(error, { what: `cannot ${what} ${where}`, permission: WRITE, signal });
  };
  const assets: ReleaseUploads['assets'] = (release) =>
    asked('list the assets of', async ({ octokit, at }) => {
      const all = await allPages(async (page, per_page) => {
        const path = 'GET /repos/{owner}/{repo}/releases/{release_id}/assets';
        const { data } = await octokit.request(path, { ...at, release_id: release.id, page, per_page });
        return z.array(assetSchema).parse(data);
      });
      return all.map(asAsset);
    });
  const remove: ReleaseUploads['remove'] = ({ id, name }) =>
    asked(`delete the asset ${name} of`, async ({ octokit, at }) => {
      const path = 'DELETE /repos/{owner}/{repo}/releases/assets/{asset_id}';
      await octokit.request(path, { ...at, asset_id: id }).catch((error: unknown) => {
        // Also what follows an error of the service that has deleted it all the same.
        if (!isMissing(error)) throw error;
      });
    });
  const send = async (release: OpenRelease, file: Upload): Promise<ReleaseAsset> => {
    const { octokit } = await client();
    const body = new Body(file);
    const answer = await octokit.request({
      method: 'POST',
      url: release.uploadUrl,
      name: file.name,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(file.size) },
      data: body,
      // A try that failed leaves something behind, which has to go first.
      request: { retries: 0 },
    });
    return checked(asAsset(assetSchema.parse(answer.data)), file, body.digest, where);
  };
  const upload: ReleaseUploads['upload'] = (release, file) =>
    repeat<ReleaseAsset>(
      async () => {
        try {
          return { done: await send(release, file) };
        } catch (error) {
          const { status, why } = restFailure(error, signal);
          const isTaken = status === 422 && /already_exists/.test(String(error));
          if (error instanceof UserError || (!isTaken && status >= 400 && status < 500 && status !== 408)) {
            throw refusal(error, `upload ${file.name} to`);
          }
          const left = (await assets(release)).filter(({ name }) => name === file.name);
          for (const asset of left) await remove(asset);
          return { retry: `${file.name}: ${why}`, error: () => refusal(error, `upload ${file.name} to`) as Error };
        }
      },
      { clock, log, policy, signal },
    );
  return {
    find: () =>
      asked('find', async ({ octokit, at }) => {
        try {
          const { data } = await octokit.request('GET /repos/{owner}/{repo}/releases/tags/{tag}', { ...at, tag });
          return [asRelease(releaseSchema.parse(data))];
        } catch (error) {
          // Drafts are not found by their tag.
          if (!isMissing(error)) throw error;
        }
        const all = await allPages(async (page, per_page) => {
          const { data } = await octokit.request('GET /repos/{owner}/{repo}/releases', { ...at, page, per_page });
          return z.array(releaseSchema).parse(data);
        });
        return all.filter(({ tag_name }) => tag_name === tag).map(asRelease);
      }),
    create: (body, commit) =>
      asked('make', async ({ octokit, at }) => {
        const target = commit === undefined ? {} : { target_commitish: commit };
        const wanted = { ...at, ...target, tag_name: tag, name: tag, body, draft: true };
        return asRelease(
          releaseSchema.parse((await octokit.request('POST /repos/{owner}/{repo}/releases', wanted)).data),
        );
      }),
    assets,
    upload,
    rename: ({ id, name }, to) =>
      asked(`rename the asset ${name} of`, async ({ octokit, at }) => {
        const path = 'PATCH /repos/{owner}/{repo}/releases/assets/{asset_id}';
        await octokit.request(path, { ...at, asset_id: id, name: to });
      }),
    remove,
    update: ({ id, isDraft }, { body, draft }) =>
      asked(isDraft && !draft ? 'publish' : 'change the text of', async ({ octokit, at }) => {
        const path = 'PATCH /repos/{owner}/{repo}/releases/{release_id}';
        await octokit.request(path, { ...at, release_id: id, body, draft });
      }),
  };
}

const unseen = (what: string): UserError =>
  new UserError('credentials', `${what}: GitHub shows no such repository or release to this token`, {
    hint: "Check the name. The token of a job is for the job's own repository: for another one give the input `token` one that may write its contents.",
    docs: 'disks.md#releases',
  });

/** UserError `github`: nothing can be added there. */
export const immutable = (where: string): UserError =>
  new UserError('github', `${where} is immutable: its assets cannot change`, {
    hint: 'Publish under another tag; a draft can be filled before it is published.',
    docs: 'disks.md#releases',
  });

/** The bytes of an upload, from their start each time they are asked for, and hashed as they pass. */
class Body {
  readonly #file: Upload;
  #digest: Digest | undefined;

  constructor(file: Upload) {
    this.#file = file;
  }

  /** Of the last bytes that have all passed. */
  get digest(): Digest | undefined {
    return this.#digest;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    for await (const bytes of this.#file.read()) {
      hash.update(bytes);
      yield bytes;
    }
    this.#digest = endDigest(hash);
  }
}

/** Throws UserError `github` where GitHub has kept something else than it was sent. */
function checked(asset: ReleaseAsset, { name, size }: Upload, sent: Digest | undefined, where: string): ReleaseAsset {
  const wrong = (what: string): UserError =>
    new UserError('github', `${where} has kept ${name} ${what}`, {
      hint: 'Run it again; if it fails once more, look at https://www.githubstatus.com.',
    });
  if (asset.name !== name) throw wrong(`under the name ${asset.name}`);
  if (!asset.isWhole || asset.size !== size) throw wrong(`with ${asset.size} of ${size} bytes`);
  if (asset.digest !== undefined && sent !== undefined && asset.digest !== sent)
    throw wrong(`as ${asset.digest}, not ${sent}`);
  return { ...asset, digest: sent ?? asset.digest };
}

const asAsset = ({ id, name, size, state, digest }: z.infer<typeof assetSchema>): ReleaseAsset => ({
  ...{ id, name, size, isWhole: state === 'uploaded' },
  digest: digest && isDigest(digest) ? digest : undefined,
});

const asRelease = ({
  id,
  draft,
  immutable: isImmutable = false,
  body,
  ...urls
}: z.infer<typeof releaseSchema>): OpenRelease => ({
  ...{ id, isDraft: draft, isImmutable, body: body ?? '' },
  ...{ url: urls.html_url, uploadUrl: urls.upload_url },
});
