import { z } from 'zod';
import { type AskWorld, ask } from '../core/ask.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { Env } from './runtime.ts';

/** A token by which a job shows others which workflow of which repository it is (docs.github.com, "OpenID Connect reference"). */
export interface IdToken {
  readonly value: string;
  /** Who gave it out: `https://token.actions.githubusercontent.com`, or another of GitHub's. */
  readonly issuer: string;
  /** Whom it names, such as `repo:org/app:ref:refs/heads/main`: what others decide by. */
  readonly subject: string;
}

/** Gets a token for one audience; each lives for some minutes. Throws UserError `credentials`. */
export type AskIdToken = (audience: string) => Promise<IdToken>;

const URL_VARIABLE = 'ACTIONS_ID_TOKEN_REQUEST_URL';
const TOKEN_VARIABLE = 'ACTIONS_ID_TOKEN_REQUEST_TOKEN';

const answerSchema = z.looseObject({ value: z.string().min(1) });
const claimsSchema = z.looseObject({ iss: z.string(), sub: z.string() });

/** Characters of an answer that are shown. */
const SHOWN = 300;

/** Whether the runner gave this step the means to ask. */
export const mayAskIdToken = (env: Env): boolean =>
  env(URL_VARIABLE) !== undefined && env(TOKEN_VARIABLE) !== undefined;

/**
 * Asks GitHub for ID tokens of this job (docs.github.com, "OpenID Connect", "Using custom actions"). Tokens are masked.
 * Throws UserError `credentials` where the job may not ask, and later where GitHub refuses.
 */
export function idTokens(env: Env, world: AskWorld): AskIdToken {
  const [url, secret] = [env(URL_VARIABLE), env(TOKEN_VARIABLE)];
  if (url === undefined || secret === undefined || !URL.canParse(url)) throw mayNotAsk();
  world.log.mask(secret);
  return async (audience) => {
    const { status, text } = await ask(
      {
        of: "GitHub's service of ID tokens",
        url: `${url}${url.includes('?') ? '&' : '?'}audience=${encodeURIComponent(audience)}`,
        headers: { authorization: `Bearer ${secret}` },
      },
      world,
    );
    if (status === 200) return readToken(text, world);
    throw new UserError('credentials', `GitHub gave no ID token: it answered ${status} ${text.slice(0, SHOWN)}`, {
      hint: 'Run the job again; if that does not help, look at https://www.githubstatus.com.',
    });
  };
}

function readToken(answer: string, { log }: Pick<AskWorld, 'log'>): IdToken {
  const value = tryDecodeJson(answer, answerSchema)?.value ?? '';
  log.mask(value);
  const claims = tryDecodeJson(Buffer.from(value.split('.')[1] ?? '', 'base64url'), claimsSchema);
  if (claims !== undefined) return { value, issuer: claims.iss, subject: claims.sub };
  // No cause: a parser's message could quote the token.
  throw new UserError('credentials', 'GitHub answered with what is not an ID token', {
    hint: `Check ${URL_VARIABLE}: the runner sets it.`,
  });
}

const mayNotAsk = (): UserError =>
  new UserError('credentials', 'this job may not ask GitHub for an ID token', {
    hint:
      'Add the line `id-token: write` to the `permissions` of the job; if the job calls a reusable workflow, let it call ' +
      'images-oidc.yml.',
    docs: 'registries.md#without-passwords',
  });
