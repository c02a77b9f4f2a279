import type { AskWorld } from '../core/ask.ts';
import { UserError } from '../core/error.ts';
import type { AskIdToken } from '../github/id-token.ts';
import { DOCKER_HUB } from '../oci/reference.ts';
import type { Access } from '../oidc/access.ts';
import { dockerHubAccess } from '../oidc/docker-hub.ts';
import { googleAccess, isGoogleHost } from '../oidc/google.ts';
import { isFilesPlace } from '../storage/files-location.ts';
import { locationOf } from '../storage/location-template.ts';
import { ANONYMOUS, type Credential, type Keychain } from '../storage/registry/auth/credential.ts';
import type { LoginInputs } from './logins.ts';
import type { OidcInputs } from './oidc.ts';
import { renewing } from './renewing.ts';

/** The user name that Google's registries take tokens under (cloud.google.com, "Authenticate with an access token"). */
const GOOGLE_USER = 'oauth2accesstoken';

/** The first keychain that knows a login; where none does, the first that says why. */
export const firstOf = (first: Keychain, second: Keychain): Keychain => ({
  find: async (host, repository, ended) => {
    const found = await first.find(host, repository, ended);
    if (found.kind !== 'anonymous') return found;
    const other = await second.find(host, repository, ended);
    return other.kind !== 'anonymous' || found === ANONYMOUS ? other : found;
  },
});

/** Logins to Google's registries and Docker Hub by the job's ID token, as the inputs ask for them. Throws UserError `input`. */
export function oidcKeychain(inputs: OidcInputs & LoginInputs, askToken: AskIdToken, world: AskWorld): Keychain {
  const { googleProvider: provider, googleServiceAccount: serviceAccount, dockerHubConnection: connection } = inputs;
  const organization = connection === undefined ? undefined : organizationOf(inputs);
  const google = renewing(async () => {
    const access = await googleAccess({ provider: provider ?? '', serviceAccount }, askToken, world);
    const as = serviceAccount === undefined ? '' : `, as ${serviceAccount}`;
    return passwordOf(access, GOOGLE_USER, `a token of Google by OIDC${as}`);
  });
  const hub = renewing(async () => {
    const access = await dockerHubAccess(connection ?? '', askToken, world);
    return passwordOf(access, organization ?? '', `a token of Docker Hub by OIDC, for ${organization}`);
  });
  return {
    find: async (host, repository, ended) => {
      if (provider !== undefined && isGoogleHost(host.replace(/:443$/, ''))) return google('google', ended);
      // The token is the organization's: it may do nothing elsewhere that nobody could.
      const isOwn = host === DOCKER_HUB && (repository === '' || repository.startsWith(`${organization}/`));
      return organization !== undefined && isOwn ? hub(DOCKER_HUB, ended) : ANONYMOUS;
    },
  };
}

const passwordOf = ({ token, expires }: Access, username: string, origin: string): Credential => ({
  kind: 'basic',
  username,
  password: token,
  origin,
  expires,
});

/** Only organizations have connections. */
function organizationOf({ username, password, to }: LoginInputs): string {
  // With a password it is the user of that.
  if (username !== undefined && password === undefined) return username;
  for (const template of to === undefined ? [] : [to].flat()) {
    if (isFilesPlace(template.text)) continue;
    const place = locationOf(template, 'name');
    if (place.kind !== 'registry' || place.reference.host !== DOCKER_HUB) continue;
    const [namespace, name] = place.reference.repository.split('/');
    if (namespace !== undefined && name !== undefined) return namespace;
  }
  throw new UserError('input', 'docker-hub-connection: the organization is not known', {
    hint: 'Give its name as the input `username`, or publish to docker.io/ORGANIZATION/NAME.',
  });
}
