import { randomUUID } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { openPackages } from '../github/rest/packages.ts';
import type { Host } from '../host/host.ts';
import type { Reference } from '../oci/reference.ts';
import { EcrPlace } from '../prune/ecr-place.ts';
import { LayoutPlace } from '../prune/layout-place.ts';
import { PackagePlace } from '../prune/package-place.ts';
import type { PrunePlace } from '../prune/place.ts';
import { RegistryPlace } from '../prune/registry-place.ts';
import { LayoutFolder } from '../storage/layout/layout-folder.ts';
import { LayoutSource } from '../storage/layout/layout-source.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import { GITHUB_REGISTRY } from './logins.ts';
import { inFolder, type Places } from './places.ts';

/** What GitHub's REST interface is asked with. */
interface GitHubAccess {
  readonly token: string | undefined;
}

/** What GitHub's REST interface is needed for, and the page that says which token it takes. */
interface NeededFor {
  readonly what: string;
  readonly docs: string;
}

/** GitHub's REST interface, as a job or a person reaches it. Throws UserError `credentials` without a token. */
export function gitHubApi({ env, fetch, log, signal }: Host, token: string | undefined, { what, docs }: NeededFor) {
  if (token === undefined) {
    throw new UserError('credentials', `missing token: ${what}`, {
      hint: 'On the command line, set NIX_IMAGES_TOKEN or give --token-file. In a workflow the input `token` has a default.',
      docs,
    });
  }
  return { url: env('GITHUB_API_URL') ?? 'https://api.github.com', token, fetch, log, signal };
}

/** Opens what is to be pruned; each kind of place removes things in its own way. Throws UserError `input`. */
export async function openPrunePlace(
  location: Location,
  places: Places,
  { token }: GitHubAccess,
  host: Host,
): Promise<PrunePlace> {
  const { log, signal } = host;
  checkWhole(location);
  if (location.kind === 'registry') return openRegistryPlace(location.reference, places, token, host);
  const { path } = inFolder(location, host.cwd) as typeof location;
  const tools = { log, clock: systemClock, signal };
  return new LayoutPlace({ source: new LayoutSource(path), folder: new LayoutFolder(path, tools), log });
}

async function openRegistryPlace(
  reference: Reference,
  places: Places,
  token: string | undefined,
  host: Host,
): Promise<PrunePlace> {
  const { log } = host;
  const opened = places.openForRemoval(reference);
  const ecr = await places.ecr(reference.host);
  if (ecr) return new EcrPlace({ repository: opened.repository, ecr, log });
  const run = host.env('GITHUB_RUN_ID') ?? randomUUID();
  if (reference.host !== GITHUB_REGISTRY) return new RegistryPlace({ ...opened, log, run });
  const [owner = '', ...name] = reference.repository.split('/');
  const what = `packages at ${GITHUB_REGISTRY} are listed and deleted by GitHub's REST interface`;
  const api = gitHubApi(host, token, { what, docs: 'retention.md#places' });
  const packages = openPackages({ ...api, owner, name: name.join('/') });
  return new PackagePlace({ repository: opened.repository, packages, log, run });
}

/** A policy is for all that a place holds. Throws UserError `input` for one image, and for archives. */
function checkWhole(location: Location): void {
  const isOne =
    location.kind === 'registry'
      ? location.reference.tag !== undefined || location.reference.digest !== undefined
      : location.kind === 'oci' && location.tag !== undefined;
  const text = formatLocation(location);
  if (isOne) {
    throw new UserError('input', `${text} names one image; a policy is for a whole repository`, {
      hint: 'Leave out the tag or digest.',
      docs: 'retention.md#places',
    });
  }
  if (location.kind === 'registry' || location.kind === 'oci') return;
  throw new UserError('input', `${text} is an archive: nothing can be removed from it`, {
    hint: 'Name a repository of a registry, or an OCI layout (oci:DIR).',
    docs: 'retention.md#places',
  });
}
