import { resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { AskIdToken } from '../github/id-token.ts';
import type { Host } from '../host/host.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { Reference } from '../oci/reference.ts';
import type { Repository } from '../storage/destination.ts';
import type { Location } from '../storage/location.ts';
import {
  type OpenFiles,
  openForRemoval,
  openRepository,
  openSource,
  type RemovableRepository,
  type StorageWorld,
} from '../storage/open.ts';
import type { Keychain } from '../storage/registry/auth/credential.ts';
import { type ConfigSource, createKeychain } from '../storage/registry/auth/keychain.ts';
import { hostAliases } from '../storage/registry/endpoint.ts';
import { Hosts } from '../storage/registry/fetch/hosts.ts';
import { PartialPulls } from '../storage/registry/partial-pulls.ts';
import type { OpenedImage } from '../storage/source.ts';
import { credentialSources } from './credential-files.ts';
import { ecrOf, ecrWays, type FindEcr, withEcr } from './ecr.ts';
import { jobOf } from './github.ts';
import { checkNamed, GITHUB_REGISTRY, type LoginInputs, loginSources } from './logins.ts';
import { jobIdentity, type OidcInputs, webIdentityFor } from './oidc.ts';
import { firstOf, oidcKeychain } from './oidc-keychain.ts';
import { awsRepositories, type IsFixed, type RepositoryInputs } from './repositories.ts';

/** Where images are read from and written to, with all that the host lends: network, credentials, log, cancellation. */
export interface Places {
  /** `imageName` names the image in a docker-archive whose destination does not. */
  openForWriting(destination: Location, imageName?: Reference): Repository;
  /** Each layout and archive is opened once if `files` is given. */
  openForReading(destination: Location, files?: OpenFiles): Promise<OpenedImage>;
  /** A registry's repository to remove manifests from. */
  openForRemoval(reference: Reference): RemovableRepository;
  /** The interface of AWS's beside one of their registries; undefined for every other host. */
  readonly ecr: FindEcr;
  /** Warns of registries from which what is sent there cannot be pulled in part. */
  readonly partialPulls: PartialPulls;
  /** Whether there is anything but anonymous access to a registry; true for what is not a registry. */
  hasCredentials(destination: Location): Promise<boolean>;
  /**
   * Makes sure that what is written to exists, where a registry wants that and can be asked; made and set up as the inputs
   * say. Says which tags cannot be moved there, as far as that is known. Throws UserError as `EcrApi.ensureRepository` does.
   */
  prepare(destinations: readonly Location[]): Promise<IsFixed>;
  /** Has the pages of repositories say what was published there, where the inputs say so. */
  show(destinations: readonly Location[], manifest: StoredManifest): Promise<void>;
}

/** What a command's inputs say about registries. */
interface RegistryInputs extends LoginInputs, OidcInputs, Partial<RepositoryInputs> {
  /** Hosts that are spoken to without TLS, beside the loopback ones. */
  readonly plainHttp: readonly string[];
  /** GitHub's token, for GitHub's own registry. */
  readonly token: string | undefined;
}

/** Shown when the registry refuses it: the token is there always, the right only where the workflow gives it. */
const TOKEN_ORIGIN = 'the input `token`, for which the job needs `permissions: { packages: write }`';

/** Falls back to the job's own token for GitHub's registry, so that a workflow there needs no login step. */
const withGithubToken = (keychain: Keychain, { token }: RegistryInputs, host: Host): Keychain => ({
  find: async (registry, repository) => {
    const found = await keychain.find(registry, repository);
    if (found.kind !== 'anonymous' || !hostAliases(GITHUB_REGISTRY).includes(registry) || !token) return found;
    const username = host.env('GITHUB_ACTOR') ?? 'github';
    return { kind: 'basic', username, password: token, origin: TOKEN_ORIGIN };
  },
});

/** Throws UserError `credentials` where a registry is named and there is no login for it, but in runs that have no secrets. */
async function checkLogin(registry: string | undefined, keychain: Keychain, host: Host): Promise<void> {
  if (registry === undefined) return;
  const found = await keychain.find(registry, '');
  const job = await jobOf(host);
  const hasSecrets = job?.isFork !== true && job?.isDependabot !== true;
  checkNamed(registry, found.kind !== 'anonymous', hasSecrets);
}

/**
 * All that knows logins, in order: what the inputs say, by password and then by OIDC; docker's and podman's files; the run's
 * token; AWS's own credentials. Throws UserError `input`.
 */
function keychainOf(inputs: RegistryInputs, ecr: FindEcr, askToken: AskIdToken | undefined, host: Host): Keychain {
  const keychain = (configs: ConfigSource[]): Keychain => createKeychain({ ...host, configs });
  const passwords = keychain(loginSources(inputs, host));
  const files = withGithubToken(keychain(credentialSources(host)), inputs, host);
  if (askToken === undefined) return withEcr(firstOf(passwords, files), ecr);
  const given = firstOf(passwords, oidcKeychain(inputs, askToken, { ...host, clock: systemClock }));
  return inputs.awsRole?.length ? firstOf(withEcr(given, ecr, true), files) : withEcr(firstOf(given, files), ecr);
}

/** Opens the way to all places of images. */
export async function placesOf(host: Host, inputs: RegistryInputs): Promise<Places> {
  const { fetch, log, signal } = host;
  const askToken = await jobIdentity(inputs, host);
  const ecr = ecrOf(host, (registry) => webIdentityFor(registry, inputs, askToken, host));
  const keychain = keychainOf(inputs, ecr, askToken, host);
  await checkLogin(inputs.registry, keychain, host);
  const { prepare, show } = awsRepositories(inputs, ecr, host);
  const temporaryFolder = await host.tempDir();
  const partialPulls = new PartialPulls(log);
  const world: StorageWorld = {
    fetch,
    keychain,
    log,
    hosts: new Hosts(systemClock),
    clock: systemClock,
    plainHosts: inputs.plainHttp,
    temporaryFolder,
    signal,
    ways: ecrWays(ecr),
    partialPulls,
  };
  return {
    openForWriting: (destination, imageName) => openRepository(destination, world, imageName),
    openForReading: (destination, files) => openSource(destination, world, files),
    openForRemoval: (reference) => openForRemoval(reference, world),
    ecr,
    partialPulls,
    hasCredentials: async (destination) => {
      if (destination.kind !== 'registry') return true;
      const { host: registry, repository } = destination.reference;
      return (await keychain.find(registry, repository)).kind !== 'anonymous';
    },
    prepare,
    show,
  };
}

/** The destination with its path made absolute: relative ones are meant from `cwd`. */
export const inFolder = (destination: Location, cwd: string): Location =>
  destination.kind === 'registry' ? destination : { ...destination, path: resolve(cwd, destination.path) };
