import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { assetBody, releaseBody } from './release-body.ts';
import { type Route, route } from './route.ts';

/** A release; times are in milliseconds since 1970. */
export interface EmulatedRelease {
  readonly id: number;
  readonly tag: string;
  readonly draft?: boolean;
  readonly prerelease?: boolean;
  readonly immutable?: boolean;
  /** When it was published, or the draft changed. */
  readonly time: number;
  /** Of the commit that it is for. */
  readonly committed?: number;
  readonly assets: Map<number, { readonly name: string; readonly size: number }>;
}

/** The releases of a repository, and which of them is the latest. */
export interface ReleaseState {
  readonly releases: Map<number, EmulatedRelease>;
  latest: number | undefined;
}

const shown = ({ draft = false, immutable = false, ...release }: EmulatedRelease) =>
  releaseBody({
    ...{ ...release, draft, immutable, repository: 'org/app', origin: 'https://uploads.github.com' },
    assets: [...release.assets].map(([id, asset]) => assetBody({ ...asset, id, time: release.time })),
  });

/** The releases of a repository. Drafts are for who may write; who may not see one is told that there is none. */
export const releaseRoutes = (state: ReleaseState, mayWrite = true): Route[] => {
  const seen = (id: string): EmulatedRelease => {
    const found = state.releases.get(Number(id));
    if (!found || (found.draft && !mayWrite)) throw new Refusal(404, 'Not Found');
    return found;
  };
  return [
    route('get', '/repos/{owner}/{repo}/releases', {
      need: { scope: 'contents', level: 'read' },
      parameters: ['per_page', 'page'],
      run: (call) => {
        const all = [...state.releases.values()].filter(({ draft }) => mayWrite || !draft);
        return { status: 200 as const, body: pageOf(all, call).map(shown) };
      },
    }),
    route('get', '/repos/{owner}/{repo}/releases/latest', {
      need: { scope: 'contents', level: 'read' },
      parameters: [],
      run: () => {
        const latest = state.releases.get(state.latest ?? 0);
        if (!latest) throw new Refusal(404, 'Not Found');
        return { status: 200 as const, body: shown(latest) };
      },
    }),
    route('get', '/repos/{owner}/{repo}/releases/{release_id}', {
      need: { scope: 'contents', level: 'read' },
      parameters: [],
      run: ({ path }) => ({ status: 200 as const, body: shown(seen(path('release_id'))) }),
    }),
    route('delete', '/repos/{owner}/{repo}/releases/{release_id}', {
      need: { scope: 'contents', level: 'write' },
      parameters: [],
      run: ({ path }) => {
        state.releases.delete(seen(path('release_id')).id);
        return { status: 204 as const };
      },
    }),
    route('delete', '/repos/{owner}/{repo}/releases/assets/{asset_id}', {
      need: { scope: 'contents', level: 'write' },
      parameters: [],
      run: ({ path }) => {
        const id = Number(path('asset_id'));
        const owner = [...state.releases.values()].find(({ assets }) => assets.has(id));
        if (!owner) throw new Refusal(404, 'Not Found');
        // uutils/coreutils 13839
        if (owner.immutable) throw new Refusal(422, 'Cannot delete asset from an immutable release');
        owner.assets.delete(id);
        return { status: 204 as const };
      },
    }),
  ];
};
