import { z } from 'zod';
import { tryDecodeJson } from '../../../core/decode-json.ts';

const claimsSchema = z.looseObject({
  access: z.array(z.looseObject({ type: z.string(), name: z.string(), actions: z.array(z.string()).nullable() })),
});

/**
 * Whether a token allows all that was asked for, as it says itself: distribution's tokens name it in the claim `access`
 * ("Token Authentication Implementation"). Undefined for tokens that say nothing of that, such as GitHub's.
 */
export function grantsAll(token: string, scopes: readonly string[]): boolean | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  const claims = tryDecodeJson(Buffer.from(payload, 'base64url'), claimsSchema);
  return claims && scopes.every((scope) => isGranted(scope, claims.access));
}

function isGranted(scope: string, access: z.infer<typeof claimsSchema>['access']): boolean {
  const [, type, name, actions = ''] = /^([^:]+):(.+):([^:]+)$/.exec(scope) ?? [];
  const granted = access.filter((one) => one.type === type && one.name === name).flatMap((one) => one.actions ?? []);
  return granted.includes('*') || actions.split(',').every((action) => granted.includes(action));
}
