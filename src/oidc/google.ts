import { z } from 'zod';
import { type Answer, type AskWorld, ask } from '../core/ask.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { lookUp } from '../core/lookup.ts';
import type { AskIdToken } from '../github/id-token.ts';
import { type Access, shownAnswer, TOKEN_EXCHANGE } from './access.ts';

/** Who the job is at Google: a provider of a workload identity pool, and a service account that it acts as. */
interface GoogleIdentity {
  /** `projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER` */
  readonly provider: string;
  /** The address of the account; without one, the job is a principal of its own. */
  readonly serviceAccount: string | undefined;
}

const STS = 'https://sts.googleapis.com/v1/token';
const IAM_CREDENTIALS = 'https://iamcredentials.googleapis.com/v1';

/** Artifact Registry asks for this one; what the job may do, roles say (cloud.google.com, "Authenticate with an access token"). */
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

const PROVIDER =
  /^projects\/\d+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]{4,32}\/providers\/[a-z0-9-]{4,32}$/;
const ACCOUNT = /^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$/;

/** Registries of Google's: Artifact Registry, and the names that Container Registry had. */
export const isGoogleHost = (host: string): boolean =>
  /^(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)$/.test(host);

/** Throws UserError `input` for what is no provider. */
export function parseGoogleProvider(text: string): string {
  const name = text.replace(/^(?:https:)?\/\/iam\.googleapis\.com\//, '');
  if (PROVIDER.test(name)) return name;
  throw new UserError('input', `${JSON.stringify(text)} is not the name of a workload identity provider`, {
    hint: 'It is projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER, with the number of the project.',
  });
}

/** Throws UserError `input` for what is no service account. */
export function parseServiceAccount(text: string): string {
  if (ACCOUNT.test(text)) return text;
  throw new UserError('input', `${JSON.stringify(text)} is not the address of a service account`, {
    hint: 'It is NAME@PROJECT.iam.gserviceaccount.com.',
  });
}

const federatedSchema = z.looseObject({
  access_token: z.string().min(1),
  expires_in: z.number().positive().optional(),
});
const accountSchema = z.looseObject({ accessToken: z.string().min(1), expireTime: z.iso.datetime() });
const refusedSchema = z.looseObject({ error: z.string(), error_description: z.string().optional() });

/** Google's tokens live for an hour where it does not say otherwise, in seconds. */
const LIFETIME = 3600;

/**
 * Exchanges the job's token for one of Google's (cloud.google.com: "Obtain short-lived credentials", Security Token Service
 * v1 `token`, IAM Service Account Credentials v1 `generateAccessToken`). Throws UserError `credentials` where Google refuses.
 */
export async function googleAccess(identity: GoogleIdentity, askToken: AskIdToken, world: AskWorld): Promise<Access> {
  const { provider, serviceAccount } = identity;
  // The one audience that a provider takes unless it was told others.
  const { value, subject } = await askToken(`https://iam.googleapis.com/${provider}`);
  const asked = world.clock.now();
  const answer = await ask(
    {
      of: "Google's token service",
      url: STS,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        audience: `//iam.googleapis.com/${provider}`,
        grantType: TOKEN_EXCHANGE,
        requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
        scope: SCOPE,
        subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
        subjectToken: value,
      }),
    },
    world,
  );
  const federated = answer.status === 200 ? tryDecodeJson(answer.text, federatedSchema) : undefined;
  if (federated === undefined) throw notExchanged(answer, provider, subject);
  world.log.mask(federated.access_token);
  if (serviceAccount !== undefined)
    return accountAccess(federated.access_token, { provider, serviceAccount, subject }, world);
  return { token: federated.access_token, expires: asked + (federated.expires_in ?? LIFETIME) * 1000 };
}

async function accountAccess(
  federated: string,
  who: { readonly provider: string; readonly serviceAccount: string; readonly subject: string },
  world: AskWorld,
): Promise<Access> {
  const answer = await ask(
    {
      of: "Google's service of credentials",
      url: `${IAM_CREDENTIALS}/projects/-/serviceAccounts/${who.serviceAccount}:generateAccessToken`,
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${federated}` },
      body: JSON.stringify({ scope: [SCOPE], lifetime: `${LIFETIME}s` }),
    },
    world,
  );
  const access = answer.status === 200 ? tryDecodeJson(answer.text, accountSchema) : undefined;
  if (access !== undefined) {
    world.log.mask(access.accessToken);
    return { token: access.accessToken, expires: Date.parse(access.expireTime) };
  }
  const pool = who.provider.replace(/\/providers\/.*/, '');
  const principal = `principal://iam.googleapis.com/${pool}/subject/${who.subject}`;
  throw new UserError(
    'credentials',
    `this job may not act as ${who.serviceAccount}: Google answered ${shownAnswer(answer)}`,
    {
      hint: `Give this principal the role roles/iam.workloadIdentityUser on the service account: ${principal}`,
      docs: 'registries.md#without-passwords',
    },
  );
}

const HINTS: Readonly<Record<string, string>> = {
  invalid_target: 'Check the names of pool and provider, and that neither is disabled or deleted.',
  unauthorized_client:
    'The attribute condition of the provider does not allow this job. Change it (IAM, Workload Identity Federation).',
  invalid_grant:
    'Check the issuer and the allowed audiences of the provider: leave the audiences empty, for the default.',
};

function notExchanged(answer: Answer, provider: string, subject: string): UserError {
  const refused = tryDecodeJson(answer.text, refusedSchema);
  const why = refused ? `${refused.error}: ${refused.error_description ?? 'no reason given'}` : shownAnswer(answer);
  return new UserError(
    'credentials',
    `the ID token of this job is not taken by Google: ${why} (subject ${subject}, for ${provider})`,
    {
      hint: (refused && lookUp(HINTS, refused.error)) ?? 'Check the provider (IAM, Workload Identity Federation).',
      docs: 'registries.md#without-passwords',
    },
  );
}
