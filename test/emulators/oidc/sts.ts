import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { listenOnLoopback } from '../../support/tools.ts';
import type { Session } from '../aws/emulator.ts';
import type { Issuer } from './issuer.ts';

export interface StsOptions {
  /** Roles, and whom their trust policies let in. */
  readonly roles: Readonly<Record<string, (subject: string) => boolean>>;
  /** Audiences that the account's identity provider takes; none where the account has no provider. */
  readonly audiences?: readonly string[];
  /** Milliseconds that sessions live. */
  readonly lifetime?: number;
}

export interface Sts {
  /** For AWS_ENDPOINT_URL_STS. */
  readonly url: string;
  /** The forms that it was asked by. */
  readonly asked: readonly URLSearchParams[];
  /** Keys of the sessions that it opened. */
  readonly opened: readonly Session[];
  stop(): Promise<void>;
}

/** AssumeRoleWithWebIdentity's own, with what it wants (STS API reference, 2011-06-15). */
const LIMITS: readonly (readonly [string, RegExp])[] = [
  ['Version', /^2011-06-15$/],
  ['RoleArn', /^arn:[a-z-]+:iam::\d{12}:role\/.{1,577}$/],
  ['RoleSessionName', /^[\w+=,.@-]{2,64}$/],
  ['WebIdentityToken', /^.{4,20000}$/],
];

const escapeXml = (value: string): string => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const refusal = (code: string, message: string): string =>
  `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code>` +
  `<Message>${escapeXml(message)}</Message></Error><RequestId>emulated</RequestId></ErrorResponse>`;

/** STS, as far as a role is assumed by an ID token: it believes the issuer's tokens alone. See README.md. */
export const startSts = async (
  issuer: Issuer,
  accept: (session: Session) => void,
  options: StsOptions,
): Promise<Sts> => {
  const { roles, audiences = ['sts.amazonaws.com'], lifetime = 3_600_000 } = options;
  const asked: URLSearchParams[] = [];
  const opened: Session[] = [];

  /** The answer's body, or why there is none. */
  const answer = (form: URLSearchParams, authorization: string | undefined): readonly [number, string] => {
    const wrong = LIMITS.find(([name, pattern]) => !pattern.test(form.get(name) ?? ''));
    if (form.get('Action') !== 'AssumeRoleWithWebIdentity') return [400, refusal('InvalidAction', 'no such action')];
    if (wrong) return [400, refusal('ValidationError', `${wrong[0]} failed to satisfy its constraint`)];
    // Whoever asks has no keys yet.
    if (authorization !== undefined) return [403, refusal('InvalidClientTokenId', 'the request is signed')];
    const role = form.get('RoleArn') ?? '';
    const claims = issuer.verify(form.get('WebIdentityToken') ?? '');
    if (audiences.length === 0) {
      return [
        400,
        refusal(
          'InvalidIdentityToken',
          'No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com',
        ),
      ];
    }
    if (claims === undefined) return [400, refusal('InvalidIdentityToken', 'The ID Token provided is not a valid JWT')];
    if (!audiences.includes(claims.aud)) return [400, refusal('InvalidIdentityToken', 'Incorrect token audience')];
    if (!roles[role]?.(claims.sub)) {
      return [403, refusal('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity')];
    }
    const session = {
      accessKey: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secret: randomBytes(30).toString('base64'),
      token: randomBytes(90).toString('base64'),
    };
    opened.push(session);
    accept(session);
    const name = form.get('RoleSessionName') ?? '';
    const assumed = role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/');
    return [
      200,
      `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<SubjectFromWebIdentityToken>${escapeXml(claims.sub)}</SubjectFromWebIdentityToken><Audience>${claims.aud}</Audience>
<AssumedRoleUser><Arn>${assumed}/${name}</Arn><AssumedRoleId>AROAEMULATED:${name}</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>${session.accessKey}</AccessKeyId><SecretAccessKey>${session.secret}</SecretAccessKey>
<SessionToken>${session.token}</SessionToken><Expiration>${new Date(Date.now() + lifetime).toISOString()}</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    ];
  };

  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await text(request));
    asked.push(form);
    const [status, body] = answer(form, request.headers.authorization);
    response.writeHead(status, { 'content-type': 'text/xml' }).end(body);
  });
  const { url, close } = await listenOnLoopback(server);
  return { url, asked, opened, stop: close };
};
