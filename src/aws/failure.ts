import { cancelled, UserError } from '../core/error.ts';
import { lookUp } from '../core/lookup.ts';
import { networkFailure } from '../core/network-error.ts';

/** Where AWS's client looks for credentials, in its order, for people who wonder why it found none. */
export const LOOKED_AT =
  'AWS_ACCESS_KEY_ID, AWS_PROFILE and ~/.aws, AWS_WEB_IDENTITY_TOKEN_FILE, and the roles of the container and the instance';

const NO_CREDENTIALS = 'Could not load credentials from any providers';

/** The name that AWS gave an error, such as RepositoryNotFoundException. */
const awsErrorName = (error: unknown): string => (error instanceof Error ? error.name : '');

/** Tells the error of a name that AWS gave it. */
export const isNamed =
  (name: string) =>
  (error: unknown): boolean =>
    awsErrorName(error) === name;

/** Whether nothing anywhere says who we are to AWS; a source that is there and broken is another matter. */
export const hasNoCredentials = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith(NO_CREDENTIALS);

const DENIED = ['AccessDeniedException', 'AccessDenied', 'UnauthorizedException', 'UnauthorizedOperation'];

/** Whether AWS knows who asks, and that they may not. */
export const isDenied = (error: unknown): boolean => DENIED.includes(awsErrorName(error));

const LOGIN_STATEMENTS: Readonly<Record<string, readonly string[]>> = {
  'ecr-public': ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'],
  sts: ['ecr-public:GetAuthorizationToken', 'sts:GetServiceBearerToken'],
};

/** The IAM statement that allows an action that was refused; a login to ECR Public needs two. */
function statementFor(action: string): string {
  const [service = '', verb = ''] = action.split(':');
  const isLogin = verb === 'GetAuthorizationToken' || verb === 'GetServiceBearerToken';
  const actions = isLogin ? (lookUp(LOGIN_STATEMENTS, service) ?? [action]) : [action];
  return JSON.stringify({ Effect: 'Allow', Action: actions, Resource: '*' });
}

/** STS, of a role that is not for whoever has the token; a policy of ours cannot change that. */
const UNTRUSTED = /^Not authorized to perform sts:AssumeRole/;

// Tokens name ids since July 2026 (aws-actions/configure-aws-credentials 1888).
const TRUST_HINT =
  "Check the trust policy of the role (AWS_ROLE_ARN): its condition on `sub` must fit this job's token. In repositories made since July 2026 that is repo:OWNER@ID/NAME@ID:…";

/** What to do where `action` was refused: the statement that allows it, or what the role's trust policy must say. */
export function deniedHint({ message }: Error, action: string): string {
  if (UNTRUSTED.test(message)) return TRUST_HINT;
  const named = /perform: ([a-z0-9-]+:[A-Za-z0-9]+)/.exec(message)?.[1];
  // A statement that allows it changes nothing then (bottlerocket-os/bottlerocket 1778).
  const advice = /explicit deny/.test(message)
    ? `A policy denies ${named ?? action}, most often one of the organization (service control policy) or a permissions boundary: who manages it must let the role or user do this.`
    : `Add this statement to the policy of the role or user: ${statementFor(named ?? action)}`;
  const encoded = ENCODED.exec(message)?.[1];
  return encoded === undefined
    ? advice
    : `${advice}\nTo see what was looked at: aws sts decode-authorization-message --encoded-message ${encoded}`;
}

/** What EC2 says of a refusal, for those who may decode it: a thousand characters. */
const ENCODED = /\.? ?Encoded authorization failure message: ?([\w-]+)/;

/** A refusal without what only a program can read, which stands in its hint. */
export const readableMessage = ({ message }: Error): string => message.replace(ENCODED, '');

/** Whether nothing answered: what `fetch` throws then, and a limit of time. */
export const isUnreached = ({ name, message }: Error): boolean => message === 'fetch failed' || name === 'TimeoutError';

/**
 * Whether AWS cannot be asked this, by a user who may well have another login for the registry itself, or a network that leads
 * to the registry alone.
 */
export const mayNotAsk = (error: unknown): boolean =>
  isDenied(error) || hasNoCredentials(error) || (error instanceof Error && isUnreached(error));

const ENDED = 'The credentials of AWS have ended. Get new ones (aws-actions/configure-aws-credentials, aws sso login).';

const HINTS: Readonly<Record<string, string>> = {
  ExpiredTokenException: ENDED,
  ExpiredToken: ENDED,
  InvalidIdentityToken:
    'AWS could not verify the token of AWS_WEB_IDENTITY_TOKEN_FILE. Run again; if it comes back, check the identity provider in IAM.',
  UnrecognizedClientException: 'AWS does not know the access key. Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.',
  InvalidClientTokenId: 'AWS does not know the access key. Check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN.',
  InvalidSignatureException: 'Check AWS_SECRET_ACCESS_KEY, and the clock of this machine.',
  LimitExceededException: 'Ask AWS for a higher quota, or remove what is not used.',
  KmsException: 'Check the key in `encryption` of the repository settings, and that ECR may use it.',
};

/** Of what ECR answers 403 or 405 without a word at `/v2/` (aws/containers-roadmap 2159 and 2783). */
const IMAGE_HINTS: Readonly<Record<string, string>> = {
  LimitExceededException:
    'The repository has as many images, or the image as many tags, as its quota allows (100,000 and 1,000). Remove old images, best by a lifecycle policy, or ask AWS for a higher quota.',
  InvalidParameterException:
    'ECR does not take this manifest. Where it is a signature or an SBOM that refers to an image, copy without those (--no-referrers).',
};

/** Errors that say that it is not known who asks. */
export const CREDENTIAL_ERRORS = [
  'ExpiredTokenException',
  'ExpiredToken',
  'InvalidIdentityToken',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
];

/** Registries have a page of their own beside that of AMIs. */
const isRegistry = (action: string): boolean => action.startsWith('ecr');

/** The error where no credentials are found for an action. */
export const noCredentials = (error: Error, action: string, what: string): UserError =>
  new UserError('credentials', `${what}: no AWS credentials were found in ${LOOKED_AT}`, {
    hint: 'In a workflow, give the input `aws-role`, or run aws-actions/configure-aws-credentials before; elsewhere set AWS_PROFILE or log in.',
    docs: isRegistry(action) ? 'registries.md#amazon-ecr' : 'aws-iam.md#the-role',
    cause: error,
  });

/**
 * What AWS refused, as a person sees it. `action` is the one that IAM knows, such as `ecr:CreateRepository`; `what` says
 * what was to be done, as in `cannot create app`.
 */
export function awsFailure(error: unknown, action: string, what: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return cancelled(error);
  if (error instanceof UserError || !(error instanceof Error)) return error;
  if (hasNoCredentials(error)) return noCredentials(error, action, what);
  if (isUnreached(error)) return networkFailure(error, what, 'AWS');
  const { name, message } = error;
  const isCredential = isDenied(error) || CREDENTIAL_ERRORS.includes(name) || name === 'CredentialsProviderError';
  const refusals = action.endsWith(':PutImage') ? IMAGE_HINTS : HINTS;
  const hint = isDenied(error) ? deniedHint(error, action) : (lookUp(refusals, name) ?? lookUp(HINTS, name));
  return new UserError(isCredential ? 'credentials' : 'registry', `${what}: ${name}: ${message}`, {
    hint,
    docs: isRegistry(action) ? 'registries.md#amazon-ecr' : isDenied(error) ? 'aws-iam.md#the-policy' : undefined,
    cause: error,
  });
}
