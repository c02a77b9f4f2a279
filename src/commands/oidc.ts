import type { WebIdentity } from '../aws/ecr-api.ts';
import type { EcrRegistry } from '../aws/ecr-registry.ts';
import { homeOfRole, parseRole } from '../aws/role.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { type AskIdToken, idTokens, mayAskIdToken } from '../github/id-token.ts';
import { lines, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { parseConnection } from '../oidc/docker-hub.ts';
import { parseGoogleProvider, parseServiceAccount } from '../oidc/google.ts';
import type { Location } from '../storage/location.ts';
import { type LocationTemplate, locationOf } from '../storage/location-template.ts';
import { jobOf } from './github.ts';

/** Inputs that log in with the job's own ID token, so that no password is kept anywhere. */
export const oidcInputs = {
  awsRole: lines({
    description:
      'Role of AWS that the job assumes for Amazon ECR and ECR Public, `arn:aws:iam::ACCOUNT:role/NAME`; of several, the one ' +
      'in the account of the registry. The job needs `id-token: write`.',
    faces: 'action',
    parse: parseRole,
  }),
  googleProvider: text({
    description:
      'Workload identity provider of Google Cloud for Artifact Registry, ' +
      '`projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER`. The job needs `id-token: write`.',
    faces: 'action',
    parse: parseGoogleProvider,
  }),
  googleServiceAccount: text({
    description: 'Service account that the job acts as there. Default: none; the job has roles of its own.',
    faces: 'action',
    parse: parseServiceAccount,
  }),
  dockerHubConnection: text({
    description:
      'ID of the OIDC connection of an organization at Docker Hub, for its repositories; `username` names the organization. ' +
      'Default for the name: that in `to`. The job needs `id-token: write`.',
    faces: 'action',
    parse: parseConnection,
  }),
} as const;

/** What a command's inputs say about logins by the job's ID token. */
export interface OidcInputs {
  readonly awsRole?: readonly string[] | undefined;
  readonly googleProvider?: string | undefined;
  readonly googleServiceAccount?: string | undefined;
  readonly dockerHubConnection?: string | undefined;
}

/** Whether an input asks for a login by the job's ID token. */
const asksForIdentity = ({ awsRole = [], googleProvider, dockerHubConnection }: OidcInputs): boolean =>
  awsRole.length > 0 || googleProvider !== undefined || dockerHubConnection !== undefined;

/**
 * Logs in to all destinations by OIDC, where an input asks for it: what a role or ruleset does not allow is told by the plan,
 * and not after the builds. Throws UserError `credentials`.
 */
export async function tryIdentity(
  inputs: OidcInputs,
  to: readonly LocationTemplate[],
  { hasCredentials }: { hasCredentials(destination: Location): Promise<boolean> },
): Promise<void> {
  if (!asksForIdentity(inputs)) return;
  await Promise.all(to.map((template) => hasCredentials(locationOf(template, 'name'))));
}

/**
 * How the job gets ID tokens, where an input asks for one; undefined where none does, and in runs that get none (a fork's
 * pull request, Dependabot's). Throws UserError `credentials` where the job has not got the right, before anything is built.
 */
export async function jobIdentity(inputs: OidcInputs, host: Host): Promise<AskIdToken | undefined> {
  const { googleProvider, googleServiceAccount } = inputs;
  if (googleServiceAccount !== undefined && googleProvider === undefined) {
    throw new UserError('input', 'google-service-account is given without google-provider', {
      hint: 'Give the input `google-provider`: by it Google knows the job.',
    });
  }
  if (!asksForIdentity(inputs)) return undefined;
  if (!mayAskIdToken(host.env)) {
    const job = await jobOf(host);
    if (job?.isFork || job?.isDependabot) {
      const whose = job.isFork ? 'for a pull request from a fork' : 'of Dependabot';
      host.log.info(`not logging in by OIDC: GitHub gives no ID token to runs ${whose}`);
      return undefined;
    }
  }
  return idTokens(host.env, { ...host, clock: systemClock });
}

/** How sessions of this run are called in AWS's logs, in the letters that it takes. */
export const sessionName = ({ env }: Pick<Host, 'env'>): string =>
  `nix-images-${env('GITHUB_RUN_ID') ?? 'run'}`.replace(/[^\w+=,.@-]/g, '-').slice(0, 64);

/** The role to assume for a registry of Amazon's: of several, the one in the registry's account. Undefined where none is given. */
export function webIdentityFor(
  registry: EcrRegistry,
  { awsRole = [] }: OidcInputs,
  askToken: AskIdToken | undefined,
  host: Pick<Host, 'env'>,
): WebIdentity | undefined {
  const account = registry.kind === 'private' ? registry.account : undefined;
  const role = awsRole.find((each) => homeOfRole(each).account === account) ?? awsRole[0];
  return role && askToken ? { role, askToken, session: sessionName(host) } : undefined;
}
