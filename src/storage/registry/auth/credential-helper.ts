import { z } from 'zod';
import { tryDecodeJson } from '../../../core/decode-json.ts';
import { UserError } from '../../../core/error.ts';
import type { Exec, ExecResult } from '../../../core/exec.ts';
import type { Log } from '../../../core/log.ts';
import type { Credential } from './credential.ts';

const answerSchema = z.looseObject({ Username: z.string(), Secret: z.string().min(1) });

// What docker-credential-helpers print when they know nothing of a server; that is an answer, not a failure.
const NOT_FOUND = /credentials not found|no credentials server URL|no usernames? for/i;
// docker's marker: the secret is an identity token.
const TOKEN_USER = '<token>';
const MESSAGE_LIMIT = 300;

/** Which helper is asked for what, and where it is named. */
interface Asking {
  readonly program: string;
  readonly server: string;
  readonly file: string;
}

const failed = (what: string, { program, server, file }: Asking, cause?: unknown): UserError =>
  new UserError('credentials', `the credential helper ${program} of ${file} for ${server} ${what}`, {
    hint: `Install or repair ${program}, or remove it from ${file} (credHelpers, credsStore).`,
    cause,
  });

/**
 * Asks `docker-credential-NAME get` for the credentials of `server`; undefined when it has none.
 * Throws UserError `credentials` when it fails or answers something else.
 */
export async function runHelper(
  name: string,
  server: string,
  file: string,
  { exec, log, signal }: { exec: Exec; log: Log; signal?: AbortSignal | undefined },
): Promise<Credential | undefined> {
  const program = `docker-credential-${name}`;
  const asking = { program, server, file };
  if (!/^[A-Za-z0-9._-]+$/.test(name)) throw failed('has an invalid name', asking);
  let result: ExecResult;
  try {
    result = await exec(program, ['get'], { input: server, signal });
  } catch (error) {
    if (error instanceof UserError && error.code === 'cancelled') throw error;
    throw failed('could not be started', asking, error);
  }
  if (result.exitCode !== 0) {
    const message = `${result.stdout}\n${result.stderr}`.trim();
    if (NOT_FOUND.test(message)) return undefined;
    throw failed(`failed with ${result.exitCode}: ${message.slice(0, MESSAGE_LIMIT)}`, asking);
  }
  // Neither the parser's nor zod's message may be shown: they can quote the secret.
  const answer = tryDecodeJson(result.stdout, answerSchema);
  if (answer === undefined) throw failed('did not answer {"Username", "Secret"}', asking);
  log.mask(answer.Secret);
  const origin = `the answer of ${program} for ${server}, named in ${file}`;
  return answer.Username === TOKEN_USER
    ? { kind: 'identity', token: answer.Secret, origin }
    : {
        kind: 'basic',
        username: answer.Username,
        password: answer.Secret,
        origin: `${origin}, user ${answer.Username}`,
      };
}
