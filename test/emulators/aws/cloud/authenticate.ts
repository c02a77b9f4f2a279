import { readSignature, type Signature } from '../signature.ts';
import type { CloudCall } from './cloud-call.ts';
import { CloudError, ShapeError } from './cloud-error.ts';
import type { CloudState } from './cloud-state.ts';
import type { CameRequest } from './protocol.ts';
import type { CloudService } from './service-model.ts';

type Refusal = 'unknown' | 'wrong' | 'late' | 'expired' | 'region';

const NOT_ABLE = 'AWS was not able to validate the provided access credentials';
const EC2_LATE: readonly [string, string, number] = ['RequestExpired', 'Request has expired.', 400];
const NOT_MATCHING =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.';
const INVALID_TOKEN = 'The security token included in the request is invalid.';
const EXPIRED_TOKEN = 'The security token included in the request is expired';

/** How each service refuses keys and signatures: code, message, status. EC2 says the same for nearly everything (NixOS/infra 105). */
const REFUSALS: Readonly<Record<CloudService, Readonly<Record<Refusal, readonly [string, string, number]>>>> = {
  ec2: {
    unknown: ['AuthFailure', NOT_ABLE, 401],
    wrong: ['AuthFailure', NOT_ABLE, 401],
    region: ['AuthFailure', NOT_ABLE, 401],
    late: EC2_LATE,
    expired: EC2_LATE,
  },
  ebs: {
    unknown: ['UnrecognizedClientException', INVALID_TOKEN, 403],
    wrong: ['InvalidSignatureException', NOT_MATCHING, 403],
    region: ['UnrecognizedClientException', INVALID_TOKEN, 403],
    late: ['InvalidSignatureException', '', 403],
    expired: ['ExpiredTokenException', EXPIRED_TOKEN, 403],
  },
  ssm: {
    unknown: ['UnrecognizedClientException', INVALID_TOKEN, 400],
    wrong: ['InvalidSignatureException', NOT_MATCHING, 400],
    region: ['UnrecognizedClientException', INVALID_TOKEN, 400],
    late: ['InvalidSignatureException', '', 400],
    expired: ['ExpiredTokenException', EXPIRED_TOKEN, 400],
  },
  sts: {
    unknown: ['InvalidClientTokenId', INVALID_TOKEN, 403],
    wrong: ['SignatureDoesNotMatch', NOT_MATCHING, 403],
    region: ['InvalidClientTokenId', INVALID_TOKEN, 403],
    late: ['SignatureDoesNotMatch', '', 403],
    expired: ['ExpiredToken', `${EXPIRED_TOKEN}.`, 403],
  },
};

/** Milliseconds by which a signature may be off; EC2 allows more, nothing relies on it. */
const TOLERANCE = 5 * 60 * 1000;

const stamp = (time: number): string => new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');

function refuse(service: CloudService, why: Refusal, text = ''): never {
  const [code, message, status] = REFUSALS[service][why];
  throw new CloudError(code, message || text, { status });
}

/** The service and region that a signature is for, before anything is believed. */
export function scopeOf(request: CameRequest['request']): Pick<Signature, 'region' | 'service'> | undefined {
  const [, region = '', service = ''] =
    /Credential=[^/]+\/\d{8}\/([a-z0-9-]+)\/([a-z0-9-]+)\//.exec(request.headers.authorization ?? '') ?? [];
  return service === '' ? undefined : { region, service };
}

export interface Authentication {
  readonly service: CloudService;
  readonly mayBeUnsigned: boolean;
  /** What the service's wall clock says. */
  readonly signatureTime: number;
}

/** Who made a request, and for which region. Throws CloudError as the service would, ShapeError where the signature has another form. */
export function authenticate(
  cloud: CloudState,
  { request, body }: CameRequest,
  { service, mayBeUnsigned, signatureTime }: Authentication,
): Pick<CloudCall<unknown>, 'caller' | 'region'> {
  const secretOf = (key: string): string | undefined => cloud.identities.byKey(key)?.secret;
  const signature = readSignature(request, body, secretOf, { mayBeUnsigned });
  if (signature === undefined) throw new ShapeError('the signature has another form');
  const region = cloud.regions.get(signature.region);
  if (region === undefined) throw new ShapeError(`signed for ${signature.region}, which is no region`);
  const caller = cloud.identities.byKey(signature.accessKey);
  if (caller === undefined) return refuse(service, 'unknown');
  const off = signature.signedAt - signatureTime;
  if (Math.abs(off) > TOLERANCE) {
    const [asked, now] = [stamp(signature.signedAt), stamp(signatureTime)];
    const text =
      off < 0
        ? `Signature expired: ${asked} is now earlier than ${stamp(signatureTime - TOLERANCE)} (${now} - 5 min.)`
        : `Signature not yet current: ${asked} is still later than ${stamp(signatureTime + TOLERANCE)} (${now} + 5 min.)`;
    return refuse(service, 'late', text);
  }
  if (!signature.isRight) return refuse(service, 'wrong');
  if (request.headers['x-amz-security-token'] !== caller.token) return refuse(service, 'unknown');
  if (caller.expires !== undefined && cloud.world.now() >= caller.expires) return refuse(service, 'expired');
  if (caller.partition !== region.partition || !region.isEnabled) return refuse(service, 'region');
  return { caller, region };
}
