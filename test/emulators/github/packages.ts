import type { components } from '@octokit/openapi-types';
import type { RegistryStore } from '../registry/store.ts';
import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

export interface PackageOptions {
  readonly owner: string;
  readonly type: 'Organization' | 'User';
  /** As URLs have it after the owner: `app`, `group/app`. */
  readonly name: string;
  /** What the registry at ghcr.io holds; manifests there are versions here. */
  readonly store: RegistryStore;
  /** Whether the token may see and delete what is in the package. Default: both. */
  readonly access?: 'delete' | 'read' | 'none';
  /** Downloads of a version, by digest: of more than 5,000 it is not deleted. */
  readonly downloads?: Readonly<Record<string, number>>;
  /** When a manifest came, in milliseconds since 1970. */
  readonly added?: (digest: string) => number;
}

const DOWNLOADS = 5000;

const PAGED: readonly string[] = ['per_page', 'page', 'state'];

type Version = components['schemas']['package-version'];

/** Container packages of one owner. A version is a manifest with all its tags; only whole versions can be deleted. */
export const packageRoutes = (options: PackageOptions): Route[] => {
  const { owner, type, name, store, access = 'delete', downloads = {}, added = () => Date.now() } = options;
  const repository = `${owner}/${name}`;
  const ids = new Map<string, number>();
  const digests = new Map<number, string>();

  const idOf = (digest: string): number => {
    const id = ids.get(digest) ?? 1000 + ids.size;
    ids.set(digest, id);
    digests.set(id, digest);
    return id;
  };

  const shown = (digest: string): Version => {
    const tags = [...store.tags(repository)].filter(([, of]) => of === digest).map(([tag]) => tag);
    const at = new Date(added(digest)).toISOString();
    const id = idOf(digest);
    const url = `https://api.github.com/orgs/${owner}/packages/container/${encodeURIComponent(name)}/versions/${id}`;
    return {
      ...{ id, name: digest, url, package_html_url: url, created_at: at, updated_at: at },
      metadata: { package_type: 'container', container: { tags } },
    };
  };

  /** GitHub says the same of what is not there and of what the token may not see. */
  const check = (given: string, wanted: string, who: string): void => {
    if (access === 'none' || given !== name || wanted.toLowerCase() !== owner.toLowerCase() || who !== type)
      throw new Refusal(404, 'Package not found.');
  };

  const found = (id: string): string => {
    const digest = digests.get(Number(id));
    if (digest === undefined || !store.manifests(repository).has(digest))
      throw new Refusal(404, 'Package version not found.');
    return digest;
  };

  const remove = (id: string): { readonly status: 204 } => {
    const digest = found(id);
    if (access === 'read') throw new Refusal(404, 'Package not found.');
    if ((downloads[digest] ?? 0) > DOWNLOADS) {
      throw new Refusal(
        400,
        'Publicly visible package versions with more than 5000 downloads cannot be deleted. Contact GitHub support for further assistance.',
      );
    }
    if (store.manifests(repository).size === 1) {
      throw new Refusal(400, 'You cannot delete the last version of a package. You must delete the package instead.');
    }
    store.deleteManifest(repository, digest);
    return { status: 204 };
  };

  const read = { scope: 'packages', level: 'read' } as const;
  const write = { scope: 'packages', level: 'write' } as const;
  // Newest first.
  const all = (): string[] => [...store.manifests(repository).keys()].reverse();

  return [
    route('get', '/users/{username}', {
      need: { scope: 'metadata', level: 'read' },
      parameters: [],
      run: ({ path }) => {
        if (path('username').toLowerCase() !== owner.toLowerCase()) throw new Refusal(404, 'Not Found');
        return { status: 200 as const, body: { login: owner, type } as components['schemas']['public-user'] };
      },
    }),
    route('get', '/orgs/{org}/packages/{package_type}/{package_name}/versions', {
      need: read,
      parameters: ['per_page', 'page', 'state'],
      run: (call) => {
        check(call.path('package_name'), call.path('org'), 'Organization');
        return { status: 200 as const, body: pageOf(all(), call).map(shown) };
      },
    }),
    route('get', '/users/{username}/packages/{package_type}/{package_name}/versions', {
      need: read,
      // GitHub's description has none here; its answers come in pages all the same.
      parameters: PAGED as never,
      run: (call) => {
        check(call.path('package_name'), call.path('username'), 'User');
        return { status: 200 as const, body: pageOf(all(), call as never).map(shown) };
      },
    }),
    route('get', '/orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}', {
      need: read,
      parameters: [],
      run: ({ path }) => {
        check(path('package_name'), path('org'), 'Organization');
        return { status: 200 as const, body: shown(found(path('package_version_id'))) };
      },
    }),
    route('get', '/users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}', {
      need: read,
      parameters: [],
      run: ({ path }) => {
        check(path('package_name'), path('username'), 'User');
        return { status: 200 as const, body: shown(found(path('package_version_id'))) };
      },
    }),
    route('delete', '/orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}', {
      need: write,
      parameters: [],
      run: ({ path }) => {
        check(path('package_name'), path('org'), 'Organization');
        return remove(path('package_version_id'));
      },
    }),
    route('delete', '/users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}', {
      need: write,
      parameters: [],
      run: ({ path }) => {
        check(path('package_name'), path('username'), 'User');
        return remove(path('package_version_id'));
      },
    }),
  ];
};
