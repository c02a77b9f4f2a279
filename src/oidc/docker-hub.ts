import { z } from 'zod';
import { type AskWorld, ask } from '../core/ask.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { AskIdToken } from '../github/id-token.ts';
import { type Access, shownAnswer, TOKEN_EXCHANGE } from './access.ts';

const IDENTITY = 'https://identity.docker.com';

/** The longest life of a token that Docker documents, in seconds; without asking it is five minutes. */
const LIFETIME = 3600;

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Throws UserError `input` for what is no id of a connection. */
export function parseConnection(text: string): string {
  if (ID.test(text)) return text.toLowerCase();
  throw new UserError('input', `${JSON.stringify(text)} is not the ID of an OIDC connection`, {
    hint: 'Copy it from Docker Home: the organization, Identity & auth, OIDC connections.',
  });
}

const accessSchema = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive().optional() });

/**
 * Exchanges the job's token for one of Docker Hub's, by an OIDC connection of an organization (docs.docker.com, "OIDC
 * connections"; docker/login-action 4.5 does the same). Throws UserError `credentials` where Docker refuses.
 */
export async function dockerHubAccess(connection: string, askToken: AskIdToken, world: AskWorld): Promise<Access> {
  const { value, subject } = await askToken(IDENTITY);
  const asked = world.clock.now();
  const answer = await ask(
    {
      of: "Docker's token service",
      url: `${IDENTITY}/oauth/token`,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: TOKEN_EXCHANGE,
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        subject_token: value,
        connection_id: connection,
        expires_in: String(LIFETIME),
      }).toString(),
    },
    world,
  );
  const access = answer.status === 200 ? tryDecodeJson(answer.text, accessSchema) : undefined;
  if (access !== undefined) {
    world.log.mask(access.access_token);
    return { token: access.access_token, expires: asked + (access.expires_in ?? LIFETIME) * 1000 };
  }
  throw new UserError(
    'credentials',
    `the ID token of this job is not taken by Docker Hub, which answered ${shownAnswer(answer)}`,
    {
      hint: `Check in Docker Home that the connection is active and that a ruleset of it has the subject claim ${subject}`,
      docs: 'registries.md#without-passwords',
    },
  );
}
