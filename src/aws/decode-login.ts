import { UserError } from '../core/error.ts';
import type { AwsWorld, EcrLogin } from './ecr-api.ts';

/** ECR's tokens live for twelve hours where it does not say otherwise, in milliseconds (GetAuthorizationToken). */
const LIFETIME = 12 * 60 * 60 * 1000;

/** The user and password in a token of ECR's, which is base64 of `AWS:PASSWORD`. Both are masked. Throws UserError `registry`. */
export function decodeLogin(
  {
    authorizationToken,
    expiresAt,
  }: { readonly authorizationToken?: string | undefined; readonly expiresAt?: Date | undefined },
  { log }: Pick<AwsWorld, 'log'>,
): EcrLogin {
  const token = authorizationToken ?? '';
  if (token !== '') log.mask(token);
  const text = Buffer.from(token, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || password === '') {
    throw new UserError('registry', 'the authorization token of ECR is not base64 of USER:PASSWORD', {
      hint: 'Check AWS_ENDPOINT_URL; this is not how AWS answers.',
    });
  }
  log.mask(password);
  return { username, password, expires: expiresAt?.getTime() ?? Date.now() + LIFETIME };
}
