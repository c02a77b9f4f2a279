import { cancelled, UserError } from '../../../core/error.ts';
import { describeNetworkError, isLastingNetworkError, networkFailure } from '../../../core/network-error.ts';
import { isRetriableStatus, isTooManyRequests, parseRetryAfter } from '../../../core/retry.ts';
import type { RegistryClient } from '../client.ts';
import { redactUrl } from '../endpoint.ts';
import { failureOf } from '../failure.ts';
import type { Reply } from '../send.ts';
import type { UploadSession } from './upload-session.ts';

/**
 * What ended an upload: the line was `cut`; the registry is `busy`; it `forgot` what it had; it has new `credentials` to
 * see; or it `refused` this way of sending a blob, and may take another.
 */
type LossKind = 'cut' | 'busy' | 'forgot' | 'credentials' | 'refused';

/** The end of one upload, where another one of the same blob may do better. */
export class LostUpload extends Error {
  override readonly name = 'LostUpload';
  readonly kind: LossKind;
  /** What a person sees if no other upload does better. */
  readonly failure: UserError;
  /** Milliseconds that the registry asks us to wait. */
  readonly retryAfter: number | undefined;

  constructor(kind: LossKind, failure: UserError, retryAfter?: number) {
    super(failure.message);
    this.kind = kind;
    this.failure = failure;
    this.retryAfter = retryAfter;
  }
}

/** For an upload that the registry does not know any more, or knows otherwise than it was sent. */
export const forgottenUpload = (session: UploadSession, what: string, cause?: unknown): LostUpload =>
  new LostUpload(
    'forgot',
    new UserError('registry', `cannot continue the upload ${redactUrl(session.url)}: ${what}`, {
      hint: 'Run again. If it comes back, the replicas behind the registry’s address may not share their uploads.',
      cause,
    }),
  );

/** What follows from a PATCH that got no answer. Throws UserError where another try cannot help. */
export function lossOfLine(client: RegistryClient, session: UploadSession, error: unknown): LostUpload {
  if (client.signal?.aborted) throw cancelled(error);
  if (error instanceof UserError) throw error;
  const failure = networkFailure(error, `PATCH ${redactUrl(session.url)}`, session.url.host);
  if (isLastingNetworkError(error)) throw failure;
  client.log.debug(`PATCH ${redactUrl(session.url)} failed (${describeNetworkError(error)})`);
  return new LostUpload('cut', failure);
}

/** What follows from a PATCH that was not answered with success. Throws UserError where another try cannot help. */
export async function lossByAnswer(client: RegistryClient, session: UploadSession, reply: Reply): Promise<LostUpload> {
  const { status, headers } = reply.response;
  const failure = await failureOf(reply);
  client.log.debug(failure.message);
  if (status === 404) return forgottenUpload(session, 'the registry forgot it', failure);
  const retryAfter = parseRetryAfter(headers.get('retry-after'), client.clock.now());
  if (isRetriableStatus(status) || isTooManyRequests(status, retryAfter))
    return new LostUpload('busy', failure, retryAfter);
  // Nobody knows all the words for it: 400, 405, 411, 413, 416, 501 and redirects have been seen.
  if (![401, 403, 507].includes(status) && failure.code === 'registry') return new LostUpload('refused', failure);
  throw failure;
}
