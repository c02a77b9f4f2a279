import { createHash } from 'node:crypto';
import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { assetBody, releaseBody } from './release-body.ts';
import { type Route, route } from './route.ts';

/** When all of it happened: nobody asks. */
const TIME = Date.UTC(2026, 0, 1);

export interface UploadedAsset {
  readonly id: number;
  name: string;
  readonly bytes: Buffer;
  readonly state: 'uploaded' | 'open';
}

export interface UploadedRelease {
  readonly id: number;
  readonly tag: string;
  draft: boolean;
  immutable?: boolean;
  body: string;
  readonly target?: string | undefined;
  readonly assets: UploadedAsset[];
}

export interface UploadState {
  readonly repository: string;
  readonly releases: UploadedRelease[];
  nextId: number;
}

export interface UploadModes {
  /** Whether assets have digests; those of before June 2025 and those of older servers have none. Default: true. */
  readonly hasDigests?: boolean;
  /** Bytes of an asset from which on it is refused. Default: 2 GiB. */
  readonly limit?: number;
  /** Whether releases are immutable as soon as they are published. */
  readonly areImmutable?: boolean;
}

const GIB = 1024 ** 3;

/** An asset that an upload has left which was cut off; its name is taken (cli/cli 5008, softprops/action-gh-release 187). */
export const leaveCut = (state: UploadState, name: string): void => {
  state.releases.at(-1)?.assets.push({ id: state.nextId++, name, bytes: Buffer.alloc(0), state: 'open' });
};

const invalid = (resource: string, code: string, field: string, message?: string): Refusal =>
  new Refusal(422, `Validation Failed: ${JSON.stringify({ resource, code, field, ...(message ? { message } : {}) })}`);

/** What GitHub makes of a name (softprops/action-gh-release 159, travis-ci/dpl 821). */
const renamed = (name: string): string => name.replace(/[^A-Za-z0-9._@-]+/g, '.').replace(/^\.+|\.+$/g, '');

/** Releases that are made and filled; `origin` is the emulator's, which it has once it listens. */
export const releaseUploadRoutes = (state: UploadState, origin: () => string, modes: UploadModes = {}): Route[] => {
  const { hasDigests = true, limit = 2 * GIB, areImmutable = false } = modes;
  const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const shownAsset = ({ id, name, bytes, state: is }: UploadedAsset) =>
    assetBody({
      ...{ id, name, size: bytes.length, state: is === 'open' ? 'starter' : is, time: TIME },
      digest: hasDigests && is === 'uploaded' ? digestOf(bytes) : null,
    });
  const shown = ({ immutable = false, assets, ...release }: UploadedRelease) =>
    releaseBody({
      ...{ ...release, immutable, assets: assets.map(shownAsset), time: TIME },
      ...{ repository: state.repository, origin: origin() },
    });
  const found = (id: string): UploadedRelease => {
    const release = state.releases.find((one) => one.id === Number(id));
    if (!release) throw new Refusal(404, 'Not Found');
    return release;
  };
  const assetIn = (id: string): [UploadedRelease, UploadedAsset] => {
    for (const release of state.releases)
      for (const asset of release.assets) if (asset.id === Number(id)) return [release, asset];
    throw new Refusal(404, 'Not Found');
  };
  const read = { scope: 'contents', level: 'read' } as const;
  const write = { scope: 'contents', level: 'write' } as const;
  return [
    route('get', '/repos/{owner}/{repo}/releases/tags/{tag}', {
      need: read,
      parameters: [],
      run: ({ path }) => {
        const release = state.releases.find(({ tag, draft }) => tag === path('tag') && !draft);
        if (!release) throw new Refusal(404, 'Not Found');
        return { status: 200 as const, body: shown(release) };
      },
    }),
    route('get', '/repos/{owner}/{repo}/releases', {
      need: read,
      parameters: ['per_page', 'page'],
      run: (call) => ({ status: 200 as const, body: pageOf(state.releases, call).map(shown) }),
    }),
    route('post', '/repos/{owner}/{repo}/releases', {
      need: write,
      parameters: [],
      run: ({ body }) => {
        const {
          tag_name,
          draft = false,
          body: text = '',
          target_commitish: target,
        } = body as { tag_name: string; draft?: boolean; body?: string; target_commitish?: string };
        // anton-yurchenko/git-release 144; drafts of one tag may be many (softprops/action-gh-release 772).
        if (state.releases.some(({ tag, draft: isDraft }) => tag === tag_name && !isDraft)) {
          throw invalid('Release', 'already_exists', 'tag_name');
        }
        const release: UploadedRelease = { id: state.nextId++, tag: tag_name, draft, body: text, target, assets: [] };
        state.releases.push(release);
        return { status: 201 as const, body: shown(release) };
      },
    }),
    route('patch', '/repos/{owner}/{repo}/releases/{release_id}', {
      need: write,
      parameters: [],
      run: ({ path, body }) => {
        const release = found(path('release_id'));
        const { draft, body: text } = body as { draft?: boolean; body?: string };
        if (text !== undefined) release.body = text;
        if (draft === false && release.draft && areImmutable) release.immutable = true;
        release.draft = draft ?? release.draft;
        return { status: 200 as const, body: shown(release) };
      },
    }),
    route('get', '/repos/{owner}/{repo}/releases/{release_id}/assets', {
      need: read,
      parameters: ['per_page', 'page'],
      run: (call) => ({
        status: 200 as const,
        body: pageOf(found(call.path('release_id')).assets, call).map(shownAsset),
      }),
    }),
    route('post', '/repos/{owner}/{repo}/releases/{release_id}/assets', {
      need: write,
      isUpload: true,
      parameters: ['name', 'label'],
      run: ({ path, query, bytes }) => {
        const release = found(path('release_id'));
        const name = renamed(query('name') ?? '');
        // voidzero-dev/vite-plus 1558, concourse/github-release-resource 151
        if (release.immutable) throw new Refusal(422, 'Cannot upload assets to an immutable release.');
        if (release.assets.some((asset) => asset.name === name))
          throw invalid('ReleaseAsset', 'already_exists', 'name');
        // bluerobotics/BlueOS 3683
        if (bytes.length >= limit) {
          throw invalid('ReleaseAsset', 'custom', 'size', `size must be less than or equal to ${limit}`);
        }
        const asset: UploadedAsset = { id: state.nextId++, name, bytes, state: 'uploaded' };
        release.assets.push(asset);
        return { status: 201 as const, body: shownAsset(asset) };
      },
    }),
    route('patch', '/repos/{owner}/{repo}/releases/assets/{asset_id}', {
      need: write,
      parameters: [],
      run: ({ path, body }) => {
        const [release, asset] = assetIn(path('asset_id'));
        const { name } = body as { name: string };
        if (release.assets.some((one) => one.name === name && one !== asset))
          throw invalid('ReleaseAsset', 'already_exists', 'name');
        asset.name = renamed(name);
        return { status: 200 as const, body: shownAsset(asset) };
      },
    }),
    route('delete', '/repos/{owner}/{repo}/releases/assets/{asset_id}', {
      need: write,
      parameters: [],
      run: ({ path }) => {
        const [release, asset] = assetIn(path('asset_id'));
        if (release.immutable) throw new Refusal(422, 'Cannot delete asset from an immutable release');
        release.assets.splice(release.assets.indexOf(asset), 1);
        return { status: 204 as const };
      },
    }),
  ];
};
