import { z } from 'zod';
import { onFirstUse } from '../../core/on-first-use.ts';
import type { GitHubApi } from './octokit.ts';
import { allPages } from './pages.ts';
import { releaseSchema } from './release-schema.ts';
import { githubError, openRepositoryApi } from './repository-api.ts';
import { restFailure } from './rest-failure.ts';

/** A release, or the draft of one. */
export interface StoredRelease {
  readonly id: number;
  readonly tag: string;
  readonly kind: 'draft' | 'prerelease' | 'release';
  /** Whether neither its assets nor its tag can change. */
  readonly isImmutable: boolean;
  /** When it was published, or a draft was changed last, in milliseconds since 1970; undefined where nothing says so. */
  readonly time: number | undefined;
  readonly assets: readonly { readonly id: number; readonly name: string; readonly bytes: number }[];
}

/** The releases of a repository as GitHub's REST interface shows them. Methods throw UserError `credentials`, `github` or `cancelled`. */
export interface Releases {
  /** All of them; drafts only where the token may write. */
  list(): Promise<readonly StoredRelease[]>;
  /** Undefined where there is none of that id. */
  read(id: number): Promise<StoredRelease | undefined>;
  /** The id of the one that GitHub marks as the latest; undefined where there is none. */
  latest(): Promise<number | undefined>;
  /** The release, with its assets; its git tag stays. */
  remove(id: number): Promise<'removed' | 'gone'>;
  removeAsset(id: number): Promise<'removed' | 'gone' | 'immutable'>;
}

/** What GitHub says of an asset that cannot be deleted (uutils/coreutils 13839). */
const IMMUTABLE = /immutable release/i;

/** Opens them; nothing is loaded or asked before the first call. */
export function repositoryReleases(deps: GitHubApi & { readonly repository: string }): Releases {
  const { repository, signal } = deps;
  const client = onFirstUse(() => openRepositoryApi(deps));
  const refusal = (error: unknown, what: string, permission: string) =>
    githubError(error, { what: `cannot ${what} of ${repository}`, permission, signal });
  const isMissing = (error: unknown): boolean => restFailure(error, signal).status === 404;
  return {
    list: async () => {
      const { octokit, at } = await client();
      try {
        const all = await allPages(async (page, per_page) => {
          const { data } = await octokit.request('GET /repos/{owner}/{repo}/releases', { ...at, page, per_page });
          return z.array(releaseSchema).parse(data);
        });
        return [...new Map(all.map((one) => [one.id, asRelease(one)])).values()];
      } catch (error) {
        throw refusal(error, 'list the releases', 'contents: read');
      }
    },
    read: async (id) => {
      const { octokit, at } = await client();
      try {
        const path = 'GET /repos/{owner}/{repo}/releases/{release_id}';
        return asRelease(releaseSchema.parse((await octokit.request(path, { ...at, release_id: id })).data));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw refusal(error, `read the release ${id}`, 'contents: read');
      }
    },
    latest: async () => {
      const { octokit, at } = await client();
      try {
        return releaseSchema.parse((await octokit.request('GET /repos/{owner}/{repo}/releases/latest', at)).data).id;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw refusal(error, 'read the latest release', 'contents: read');
      }
    },
    remove: async (id) => {
      const { octokit, at } = await client();
      try {
        await octokit.request('DELETE /repos/{owner}/{repo}/releases/{release_id}', { ...at, release_id: id });
        return 'removed';
      } catch (error) {
        if (isMissing(error)) return 'gone';
        throw refusal(error, `delete the release ${id}`, 'contents: write');
      }
    },
    removeAsset: async (id) => {
      const { octokit, at } = await client();
      try {
        await octokit.request('DELETE /repos/{owner}/{repo}/releases/assets/{asset_id}', { ...at, asset_id: id });
        return 'removed';
      } catch (error) {
        if (isMissing(error)) return 'gone';
        if (error instanceof Error && IMMUTABLE.test(error.message)) return 'immutable';
        throw refusal(error, `delete the asset ${id}`, 'contents: write');
      }
    },
  };
}

const asRelease = ({ id, tag_name, draft, prerelease, immutable = false, ...rest }: z.infer<typeof releaseSchema>) => ({
  ...{ id, tag: tag_name, isImmutable: immutable, time: timeOf(rest) },
  kind: draft ? ('draft' as const) : prerelease ? ('prerelease' as const) : ('release' as const),
  assets: rest.assets.map(({ id: asset, name, size }) => ({ id: asset, name, bytes: size })),
});

type Times = Pick<z.infer<typeof releaseSchema>, 'published_at' | 'updated_at' | 'assets'>;

/** What is called `created_at` is the time of the commit, which is older than a draft that was made for it just now. */
function timeOf({ published_at, updated_at, assets }: Times): number | undefined {
  if (published_at) return Date.parse(published_at);
  const times = [...(updated_at ? [updated_at] : []), ...assets.map((asset) => asset.updated_at)];
  return times.length === 0 ? undefined : Math.max(...times.map((one) => Date.parse(one)));
}
