import { fromWebToken } from '@aws-sdk/credential-provider-web-identity';
import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { networkFailure } from '../core/network-error.ts';
import type { IdToken } from '../github/id-token.ts';
import type { WebIdentity } from './ecr-api.ts';
import { isNamed, isUnreached } from './failure.ts';
import { homeOfRole } from './role.ts';

/** What AWS's own action asks for: IAM's guides have providers set up for it (IAM user guide, "OIDC federation"). */
const audienceOf = (role: string): string =>
  homeOfRole(role).partition === 'aws-cn' ? 'sts.amazonaws.com.cn' : 'sts.amazonaws.com';

type ClientConfig = NonNullable<Parameters<typeof fromWebToken>[0]['clientConfig']>;

/**
 * Keys of a role, by STS's AssumeRoleWithWebIdentity; AWS's clients ask again before they end. They throw UserError
 * `credentials` where AWS does not let the job be the role, with what its trust policy must say.
 */
export const webIdentityKeys =
  ({ role, session, askToken }: WebIdentity, clientConfig: ClientConfig, log: Log) =>
  async () => {
    const token = await askToken(audienceOf(role));
    try {
      const keys = await fromWebToken({
        roleArn: role,
        roleSessionName: session,
        webIdentityToken: token.value,
        clientConfig,
      })();
      log.mask(keys.secretAccessKey);
      if (keys.sessionToken !== undefined) log.mask(keys.sessionToken);
      return keys;
    } catch (error) {
      throw notAssumed(error, role, token);
    }
  };

/** Milliseconds before their end that AWS's clients ask for new keys. */
const EARLY = 300_000;

type AskKeys = ReturnType<typeof webIdentityKeys>;

/** Keeps keys until they end soon, for several clients; `forceRefresh` asks for others, as clients have it. A failure is not kept. */
export function keptKeys(ask: AskKeys): (options?: { readonly forceRefresh?: boolean }) => ReturnType<AskKeys> {
  let kept: ReturnType<AskKeys> | undefined;
  return async ({ forceRefresh = false } = {}) => {
    const before = kept;
    const keys = forceRefresh ? undefined : await before?.catch(() => undefined);
    const isGood = keys !== undefined && (keys.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now() > EARLY;
    if (isGood) return keys;
    // Of several who wait for new ones the first asks.
    if (kept === before) kept = ask();
    return await (kept ?? ask());
  };
}

function notAssumed(error: unknown, role: string, token: IdToken): unknown {
  if (error instanceof UserError || !(error instanceof Error)) return error;
  if (isUnreached(error)) return networkFailure(error, `cannot assume ${role}`, 'AWS');
  return new UserError('credentials', `cannot assume ${role}: ${error.name}: ${error.message}`, {
    hint: hintFor(error, role, token),
    docs: 'aws-iam.md#the-role',
    cause: error,
  });
}

const hintFor = (error: Error, role: string, token: IdToken): string =>
  ['InvalidIdentityToken', 'InvalidIdentityTokenException'].some((name) => isNamed(name)(error))
    ? `Add an identity provider for ${token.issuer} to IAM of account ${homeOfRole(role).account}, with the audience ${audienceOf(role)}.`
    : `Check that the role exists, and that its trust policy has this statement: ${trustStatement(role, token)}`;

/** What lets exactly this job be the role. */
function trustStatement(role: string, { issuer, subject }: IdToken): string {
  const provider = issuer.replace(/^https:\/\//, '');
  const { partition, account } = homeOfRole(role);
  return JSON.stringify({
    Effect: 'Allow',
    Principal: { Federated: `arn:${partition}:iam::${account}:oidc-provider/${provider}` },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { [`${provider}:aud`]: audienceOf(role), [`${provider}:sub`]: subject } },
  });
}
