import { partitionOf } from '../ami/wanted.ts';
import type { Cloud } from '../aws/cloud.ts';
import type { AwsWorld, WebIdentity } from '../aws/ecr-api.ts';
import { homeOfRole } from '../aws/role.ts';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import type { Host } from '../host/host.ts';
import { jobIdentity, type OidcInputs, sessionName } from './oidc.ts';

/** AWS as a run uses it. */
export interface AmiWorld {
  readonly world: AwsWorld;
  readonly cloud: Cloud;
}

/**
 * Opens AWS for the partition of `region`: as the role of that partition among those that are given, by the job's ID token, else as the environment says.
 * Throws UserError `input` where roles are given and none is of the partition, and `credentials`.
 */
export async function openAmiCloud(
  region: string,
  { awsRole = [] }: OidcInputs,
  host: Host,
  clock: Clock,
): Promise<AmiWorld> {
  const { fetch, log, signal, env } = host;
  const webIdentity = await identityFor(region, awsRole, host);
  const world: AwsWorld = { fetch, log, signal, env, webIdentity, clock };
  const { openCloud } = await import('../aws/open-cloud.ts');
  return { world, cloud: openCloud(world) };
}

async function identityFor(region: string, awsRole: readonly string[], host: Host): Promise<WebIdentity | undefined> {
  if (awsRole.length === 0) return undefined;
  const partition = partitionOf(region);
  const role = awsRole.find((one) => homeOfRole(one).partition === partition);
  if (role === undefined) {
    throw new UserError('input', `no role for ${region}: it is in the partition ${partition}, and the roles are not`, {
      hint: `Give aws-role one of arn:${partition}:iam::ACCOUNT:role/NAME.`,
    });
  }
  const askToken = await jobIdentity({ awsRole }, host);
  if (askToken !== undefined) return { role, askToken, session: sessionName(host) };
  throw new UserError('credentials', `cannot assume ${role}: GitHub gives this run no ID token`, {
    hint: 'AMIs are deployed by runs of the repository itself, not by pull requests from forks.',
  });
}
