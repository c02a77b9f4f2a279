import { UserError } from '../core/error.ts';
import { repositoryArtifacts } from '../github/rest/artifact-list.ts';
import { restCaches } from '../github/rest/caches.ts';
import { repositoryReleases } from '../github/rest/releases.ts';
import type { Host } from '../host/host.ts';
import { artifactsPlace, cachesPlace } from '../prune/github-places.ts';
import type { PrunePlace } from '../prune/place.ts';
import { assetsPlace, releasesPlace } from '../prune/releases-place.ts';
import type { Location } from '../storage/location.ts';
import { type AmiPlaces, isAmiPlace, parseAmiPlaces } from './ami-places.ts';
import { parsePlace } from './naming.ts';
import { gitHubApi } from './prune-places.ts';

const SCHEME = 'github:';

const KEPT = ['caches', 'artifacts', 'drafts', 'prereleases', 'releases', 'assets'] as const;

/** What GitHub keeps for a repository, beside packages. */
interface GitHubPlace {
  readonly kind: 'github';
  readonly what: (typeof KEPT)[number];
}

/** Reads where something is removed from: `ghcr.io/org/app`, `oci:DIR`, `github:caches`, `ami:IMAGE`. Throws UserError `input` or `reference`. */
export function parsePrunePlace(text: string): Location | GitHubPlace | AmiPlaces {
  if (isAmiPlace(text)) return parseAmiPlaces(text);
  if (!text.startsWith(SCHEME)) return parsePlace(text);
  const what = KEPT.find((one) => text === SCHEME + one);
  if (what !== undefined) return { kind: 'github', what };
  throw new UserError('input', `${JSON.stringify(text)} is not something that GitHub keeps`, {
    hint: `Write one of ${KEPT.map((one) => SCHEME + one).join(', ')}; the repository is another input.`,
    docs: 'retention.md#caches-artifacts-and-releases',
  });
}

/** The repository that an input names, or that of the job. Throws UserError `input` where neither does. */
export function repositoryAt(given: string | undefined, host: Host, why: string): string {
  const repository = given ?? host.env('GITHUB_REPOSITORY');
  if (repository !== undefined) return repository;
  throw new UserError('input', `missing repository: ${why}`, {
    hint: 'Give it: --repository OWNER/NAME.',
    docs: 'retention.md#places',
  });
}

interface Access {
  readonly repository: string | undefined;
  readonly token: string | undefined;
  readonly isForced: boolean;
}

/** Opens what GitHub keeps; nothing is asked yet. Throws UserError `input` without a repository, `credentials` without a token. */
export function openGitHubPlace(
  { what }: GitHubPlace,
  { repository: given, token, isForced }: Access,
  host: Host,
): PrunePlace {
  const place = SCHEME + what;
  const repository = repositoryAt(given, host, `${place} is of one`);
  const needed = {
    what: `${place} is asked for by GitHub's REST interface`,
    docs: 'retention.md#caches-artifacts-and-releases',
  };
  const deps = { ...gitHubApi(host, token, needed), repository };
  const name = `${place} (${repository})`;
  switch (what) {
    case 'caches':
      return cachesPlace(name, restCaches(deps));
    case 'artifacts':
      return artifactsPlace(name, repositoryArtifacts(deps));
    case 'assets':
      return assetsPlace(name, repositoryReleases(deps), { isForced });
    case 'drafts':
      return releasesPlace(name, repositoryReleases(deps), { kind: 'draft', isForced });
    case 'prereleases':
      return releasesPlace(name, repositoryReleases(deps), { kind: 'prerelease', isForced });
    case 'releases':
      return releasesPlace(name, repositoryReleases(deps), { kind: 'release', isForced });
  }
}
