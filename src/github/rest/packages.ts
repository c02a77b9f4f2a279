import type { Octokit } from '@octokit/core';
import { z } from 'zod';
import { cancelled, UserError } from '../../core/error.ts';
import { type GitHubApi, openOctokit } from './octokit.ts';
import { allPages } from './pages.ts';
import { restFailure } from './rest-failure.ts';

/** A version of a container package: a manifest with all its tags. */
export interface PackageVersion {
  readonly id: number;
  /** Of the manifest: the name of a version is its digest. */
  readonly digest: string;
  readonly tags: readonly string[];
  /** When it was pushed first, in milliseconds since 1970. */
  readonly created: number;
}

/** What became of a version that was to be deleted; `kept` where GitHub does not delete it whoever asks. */
type VersionRemoval =
  | { readonly kind: 'removed' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'kept'; readonly why: string };

/** A container package as GitHub's REST interface shows it. Methods throw UserError `credentials`, `registry` or `cancelled`. */
export interface Packages {
  versions(): Promise<PackageVersion[]>;
  /** Undefined where there is none of that id. */
  version(id: number): Promise<PackageVersion | undefined>;
  remove(id: number): Promise<VersionRemoval>;
}

interface PackagesDeps extends GitHubApi {
  readonly owner: string;
  /** What follows the owner in the reference: `app`, `group/app`. */
  readonly name: string;
}

const versionSchema = z.object({
  id: z.int().positive(),
  name: z.string(),
  created_at: z.iso.datetime({ offset: true }),
  metadata: z.object({ container: z.object({ tags: z.array(z.string()) }).optional() }).optional(),
});

const ownerSchema = z.object({ type: z.string() });

/** What GitHub says of versions that it does not delete (reported in 2024), and what a person is told. */
const NEVER: readonly (readonly [RegExp, string])[] = [
  [/more than \d+ downloads/, 'GitHub keeps it: more than 5,000 downloads'],
  [/last (?:tagged )?version/, 'GitHub keeps it: the last version'],
];

/** GitHub answers 404 to whoever may not see or delete, too. */
const causes = (owner: string, name: string): string =>
  [
    'The package may not exist, or the token may not see or delete it:',
    'in a job, add `permissions: packages: write`;',
    `and give the repository the role Admin under "Manage Actions access" in the settings of the package ${name} of ${owner};`,
    'elsewhere, use a classic token with the scopes read:packages and delete:packages (fine-grained tokens and tokens of Apps may not).',
  ].join(' ');

const container = { package_type: 'container' } as const;

/** Opens a package; nothing is loaded or asked before the first call. */
export function openPackages(deps: PackagesDeps): Packages {
  const { owner, name, signal } = deps;
  let opened: Promise<{ octokit: Octokit; isOrganization: boolean }> | undefined;

  const refusal = (what: string, error: unknown): UserError => {
    const { status, why } = restFailure(error, signal);
    const isDenied = [400, 401, 403, 404].includes(status);
    return new UserError(isDenied ? 'credentials' : 'registry', `cannot ${what} ${owner}/${name} at GitHub: ${why}`, {
      hint: isDenied ? causes(owner, name) : 'Run again; what is left then goes.',
      docs: isDenied ? 'retention.md#places' : undefined,
      cause: error,
    });
  };

  const open = async () => {
    const octokit = await openOctokit(deps);
    try {
      const { data } = await octokit.request('GET /users/{username}', { username: owner });
      return { octokit, isOrganization: ownerSchema.parse(data).type === 'Organization' };
    } catch (error) {
      throw refusal('look up the owner of', error);
    }
  };
  const client = () => {
    if (signal.aborted) throw cancelled(signal.reason);
    opened ??= open();
    return opened;
  };

  return {
    versions: async () => {
      const { octokit, isOrganization } = await client();
      try {
        const all = await allPages(async (page, per_page) => {
          const what = { ...container, package_name: name, page, per_page, state: 'active' as const };
          const { data } = isOrganization
            ? await octokit.request('GET /orgs/{org}/packages/{package_type}/{package_name}/versions', {
                org: owner,
                ...what,
              })
            : await octokit.request('GET /users/{username}/packages/{package_type}/{package_name}/versions', {
                username: owner,
                ...what,
              });
          return z.array(versionSchema).parse(data);
        });
        // A version that is pushed meanwhile moves others to the next page, so some are told twice.
        return [...new Map(all.map((version) => [version.id, asVersion(version)])).values()];
      } catch (error) {
        throw refusal('list the versions of', error);
      }
    },
    version: async (id) => {
      const { octokit, isOrganization } = await client();
      try {
        const what = { ...container, package_name: name, package_version_id: id };
        const { data } = isOrganization
          ? await octokit.request(
              'GET /orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}',
              { org: owner, ...what },
            )
          : await octokit.request(
              'GET /users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}',
              { username: owner, ...what },
            );
        return asVersion(versionSchema.parse(data));
      } catch (error) {
        if (restFailure(error, signal).status === 404) return undefined;
        throw refusal(`read version ${id} of`, error);
      }
    },
    remove: async (id) => {
      const { octokit, isOrganization } = await client();
      try {
        const what = { ...container, package_name: name, package_version_id: id };
        if (isOrganization) {
          const path = 'DELETE /orgs/{org}/packages/{package_type}/{package_name}/versions/{package_version_id}';
          await octokit.request(path, { org: owner, ...what });
        } else {
          const path = 'DELETE /users/{username}/packages/{package_type}/{package_name}/versions/{package_version_id}';
          await octokit.request(path, { username: owner, ...what });
        }
        return { kind: 'removed' };
      } catch (error) {
        const { status, why } = restFailure(error, signal);
        const never = NEVER.find(([pattern]) => pattern.test(why))?.[1];
        if (never !== undefined) return { kind: 'kept', why: never };
        // Also what follows an error of the service that has deleted it all the same; `package` is for who may not delete.
        if (status === 404 && !/Package not found/i.test(why)) return { kind: 'gone' };
        throw refusal(`delete version ${id} of`, error);
      }
    },
  };
}

const asVersion = ({ id, name, created_at, metadata }: z.infer<typeof versionSchema>): PackageVersion => ({
  id,
  digest: name,
  tags: metadata?.container?.tags ?? [],
  created: Date.parse(created_at),
});
