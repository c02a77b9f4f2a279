import { cancelled, UserError } from '../../../core/error.ts';
import type { Log } from '../../../core/log.ts';
import { describeNetworkError, isLastingNetworkError, networkFailure } from '../../../core/network-error.ts';
import {
  type Clock,
  isRetriableStatus,
  isTooManyRequests,
  type Outcome,
  parseRetryAfter,
  type RetryPolicy,
  repeat,
} from '../../../core/retry.ts';
import { redactUrl } from '../endpoint.ts';
import { failureOf } from '../failure.ts';
import type { RegistryRequest, Reply, Send } from '../send.ts';
import { readCapped } from './response-body.ts';

/**
 * Repeats a request while the connection breaks or the status says that another try may help, and turns what remains of the
 * connection's errors into those a person sees. `host` is the registry's, for messages.
 */
export const withRetry =
  (
    send: Send,
    host: string,
    { policy, clock, log, signal }: { policy: RetryPolicy; clock: Clock; log: Log; signal: AbortSignal | undefined },
  ): Send =>
  (request) => {
    const what = `${request.method} ${redactUrl(request.url)}`;
    const attempt = async (): Promise<Outcome<Reply>> => {
      try {
        const reply = await send(request);
        const { status, headers } = reply.response;
        const retryAfter = parseRetryAfter(headers.get('retry-after'), clock.now());
        const isPaused = isTooManyRequests(status, retryAfter);
        if (!isRetriableStatus(status) && !isPaused) return { done: reply };
        const error = await failureOf(reply);
        if (reply.isUsedUp || (isPaused && (retryAfter ?? 0) > policy.maxRetryAfter)) throw error;
        return { isPaused, retry: `${what} was answered ${status}`, retryAfter, error: () => error };
      } catch (error) {
        if (signal?.aborted) throw cancelled(error);
        if (error instanceof UserError) throw error;
        if (isLastingNetworkError(error)) throw networkFailure(error, what, host);
        return {
          retry: `${what} failed (${describeNetworkError(error)})`,
          error: () => networkFailure(error, what, host),
        };
      }
    };
    return repeat(attempt, { policy, clock, log, signal });
  };

/** Reads the body of a successful reply where the request wants it, so that a cut is the request's, not the reader's. */
export const withBody =
  (send: Send, idleTime: number, signal?: AbortSignal): Send =>
  async (request: RegistryRequest) => {
    const reply = await send(request);
    if (request.bodyLimit === undefined || !reply.response.ok) return reply;
    return { ...reply, body: await readCapped(reply.response, request.bodyLimit, signal, idleTime) };
  };
