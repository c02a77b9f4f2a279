import { cancelled, UserError } from '../core/error.ts';
import { lookUp } from '../core/lookup.ts';
import { networkFailure } from '../core/network-error.ts';
import {
  CREDENTIAL_ERRORS,
  deniedHint,
  hasNoCredentials,
  isDenied,
  isUnreached,
  noCredentials,
  readableMessage,
} from './failure.ts';
import { AwsRefusal } from './refusal.ts';

/** Keys of one partition are unknown in the others. */
const UNKNOWN_KEY =
  'Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN: AWS does not know them there. GovCloud, China and the European Sovereign Cloud have accounts and keys of their own.';

const HINTS: Readonly<Record<string, string>> = {
  InvalidClientTokenId: UNKNOWN_KEY,
  SignatureDoesNotMatch: 'Check AWS_SECRET_ACCESS_KEY, and the clock of this machine.',
  UnrecognizedClientException: UNKNOWN_KEY,
  // Of a region that is switched off EC2 says the same as of wrong keys (NixOS/infra 105).
  AuthFailure: 'Check that the account has this region switched on (DescribeRegions), and the credentials.',
  RequestExpired: 'Check the clock of this machine, and that the credentials have not ended.',
  ExpiredToken: 'The credentials of AWS have ended. Get new ones.',
  ExpiredTokenException: 'The credentials of AWS have ended. Get new ones.',
  ResourceLimitExceeded: 'Ask AWS for a higher quota in this region, or remove AMIs that are not used (prune).',
  OperationNotPermitted:
    'Check block public access for AMIs and snapshots in this region, and whether the account encrypts by default.',
  ParameterLimitExceeded: 'Ask AWS for a higher quota of parameters in this region, or remove some.',
  HierarchyTypeMismatch:
    'A parameter keeps the data type that it was made with. Give another name, or delete the parameter.',
};

/** What a client's error says beside its name and message. */
interface Metadata {
  readonly $metadata?: { readonly requestId?: string | undefined; readonly attempts?: number | undefined };
}

/**
 * What AWS refused, as a person sees it, with the region and the number by which AWS's support finds the request. `action` is the one that IAM
 * knows, such as `ec2:RegisterImage`; `what` says what was to be done.
 */
function cloudFailure(
  error: unknown,
  { action, what, region, signal }: CloudAction & { readonly signal?: AbortSignal | undefined },
): unknown {
  if (signal?.aborted) return cancelled(error);
  if (error instanceof UserError || !(error instanceof Error)) return error;
  if (hasNoCredentials(error)) return noCredentials(error, action, what);
  if (isUnreached(error)) return unreached(error, `${what} in ${region}`);
  const { name } = error;
  const { requestId, attempts } = (error as Error & Metadata).$metadata ?? {};
  const request = requestId === undefined ? '' : ` (request ${requestId})`;
  return new AwsRefusal(`${what} in ${region}: ${name}: ${readableMessage(error)}${request}`, {
    reason: name,
    requestId,
    attempts,
    hint: isDenied(error) ? deniedHint(error, action) : lookUp(HINTS, name),
    docs: isDenied(error) ? 'aws-iam.md#the-policy' : undefined,
    cause: error,
    isCredential: isDenied(error) || name === 'AuthFailure' || CREDENTIAL_ERRORS.includes(name),
  });
}

/** A host that does not exist is a region's, not a registry's. */
function unreached(error: Error, what: string): UserError {
  const failure = networkFailure(error, what, 'AWS');
  if (!failure.hint?.startsWith('No such host')) return failure;
  const hint = 'No such host. Check the name of the region, and AWS_ENDPOINT_URL where it is set.';
  return new UserError(failure.code, failure.message, { hint, docs: failure.docs, cause: error });
}

/** A call, as errors speak of it. */
interface CloudAction {
  readonly action: string;
  readonly what: string;
  readonly region: string;
}

/** Does `work` and throws what `cloudFailure` makes of its error. */
export async function callCloud<T>(
  call: CloudAction & { readonly signal?: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cloudFailure(error, call);
  }
}
