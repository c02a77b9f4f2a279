import { randomBytes } from 'node:crypto';
import type { CloudCall, CloudHandlers } from '../cloud/cloud-call.ts';
import { CloudError } from '../cloud/cloud-error.ts';
import { denial } from '../cloud/denial.ts';
import type { Identity, Partition } from '../cloud/identities.ts';
import type { CloudRole } from '../cloud/roles.ts';

const HOUR = 3600;

interface AssumeRequest {
  readonly RoleArn: string;
  readonly RoleSessionName: string;
  readonly DurationSeconds?: number;
}

interface AssumeByTokenRequest extends AssumeRequest {
  readonly WebIdentityToken: string;
}

/** Opens a session of a role; it ends by the cloud's clock, and says so in the time that signatures are in. */
function openSession({ input, cloud, now }: CloudCall<AssumeRequest>, role: CloudRole, more: object = {}): object {
  const { RoleArn, RoleSessionName, DurationSeconds = HOUR } = input;
  if (DurationSeconds > (role.longest ?? HOUR)) {
    throw new CloudError(
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    );
  }
  const [, partition = 'aws', , , account = ''] = RoleArn.split(':');
  const arn = `arn:${partition}:sts::${account}:assumed-role/${RoleArn.split('/').at(-1)}/${RoleSessionName}`;
  const expires = now + DurationSeconds * 1000;
  const { accessKey, secret, token } = cloud.identities.open(
    { account, partition: partition as Partition, arn, expires },
    role.denied,
  );
  return {
    Credentials: {
      AccessKeyId: accessKey,
      SecretAccessKey: secret,
      SessionToken: token,
      Expiration: new Date(cloud.world.signatureTime() + DurationSeconds * 1000),
    },
    AssumedRoleUser: {
      Arn: arn,
      AssumedRoleId: `AROA${randomBytes(8).toString('hex').toUpperCase()}:${RoleSessionName}`,
    },
    ...more,
  };
}

const isSession = ({ token }: Identity): boolean => token !== undefined;

function assumeRole(call: CloudCall<AssumeRequest>): object {
  const { input, cloud, caller, region } = call;
  const role = cloud.roles.get(input.RoleArn);
  const isNear = input.RoleArn.startsWith(`arn:${region.partition}:`);
  if (role?.trusts?.(caller) !== true || !isNear) {
    const { message } = denial('sts', 'sts:AssumeRole', caller);
    throw new CloudError('AccessDenied', message.replace('resource: *', `resource: ${input.RoleArn}`), { status: 403 });
  }
  if (isSession(caller) && (input.DurationSeconds ?? 0) > HOUR) {
    throw new CloudError(
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    );
  }
  return openSession(call, role);
}

/** Believes the tokens of the issuer that the test gives; five minutes after they were made they have ended. */
function assumeRoleWithWebIdentity(call: CloudCall<AssumeByTokenRequest>): object {
  const { input, cloud } = call;
  const claims = cloud.world.verifyIdToken(input.WebIdentityToken);
  if (claims === undefined)
    throw new CloudError('InvalidIdentityToken', 'The ID Token provided is not a valid JWT.', { status: 400 });
  if (claims.aud !== 'sts.amazonaws.com') throw new CloudError('InvalidIdentityToken', 'Incorrect token audience');
  const role = cloud.roles.get(input.RoleArn);
  if (role?.trustsToken?.(claims) !== true)
    throw new CloudError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity', { status: 403 });
  return openSession(call, role, { SubjectFromWebIdentityToken: claims.sub, Audience: claims.aud });
}

const getCallerIdentity = ({ caller }: CloudCall<unknown>): object => ({
  UserId: caller.accessKey,
  Account: caller.account,
  Arn: caller.arn,
});

/** The token service, as far as roles are assumed and asked who they are. */
export const STS_HANDLERS: CloudHandlers = {
  AssumeRole: assumeRole,
  AssumeRoleWithWebIdentity: assumeRoleWithWebIdentity,
  GetCallerIdentity: getCallerIdentity,
};
