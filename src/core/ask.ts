import type { Effects } from './effects.ts';
import { cancelled, UserError } from './error.ts';
import { isLastingNetworkError, networkFailure } from './network-error.ts';
import { DEFAULT_RETRY, isRetriableStatus, parseRetryAfter, repeat } from './retry.ts';

/** What a question to a service needs from the world. */
export type AskWorld = Pick<Effects, 'fetch' | 'log' | 'clock' | 'signal'>;

/** A request that may be sent again. */
interface Question {
  /** The service in errors and in the log, such as `GitHub's token service`. */
  readonly of: string;
  readonly url: string | URL;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Milliseconds that a service may take to answer one try: those that are asked here work in tenths of a second. */
const TIMEOUT = 30_000;

/** Bytes of an answer: tokens have kilobytes. */
const LIMIT = 1024 * 1024;

/**
 * Asks a service for a short answer, and again where that may help (no answer, 408, 429, 5xx), as often as registries are
 * asked. Whatever it says in the end is the answer; redirects are not followed, for the question may hold a secret. Throws
 * UserError `registry` where it cannot be reached or answers too much, and `cancelled`.
 */
export async function ask(question: Question, world: AskWorld): Promise<Answer> {
  const { of, url } = question;
  const { clock, log, signal } = world;
  return repeat(
    async () => {
      try {
        const { retryAfter, ...answer } = await once(question, world);
        if (!isRetriableStatus(answer.status)) return { done: answer };
        const wait = parseRetryAfter(retryAfter, clock.now());
        // The last answer is the caller's: it may say why.
        return { retry: `${of} answered ${answer.status}`, retryAfter: wait, error: () => new Unanswered(answer) };
      } catch (error) {
        if (signal.aborted) throw cancelled(error);
        if (error instanceof UserError) throw error;
        const failure = networkFailure(error, of, new URL(url).host);
        if (isLastingNetworkError(error)) throw failure;
        return { retry: failure.message, error: () => failure };
      }
    },
    { clock, log, policy: DEFAULT_RETRY, signal },
  ).catch((error: unknown) => {
    if (error instanceof Unanswered) return error.answer;
    throw error;
  });
}

/** Ends the tries with what was answered last. */
class Unanswered extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(`answered ${answer.status}`);
    this.answer = answer;
  }
}

async function once({ of, url, method = 'GET', headers, body }: Question, { fetch, signal }: AskWorld) {
  const response = await fetch(url, {
    method,
    headers: { 'user-agent': 'nix-images', accept: 'application/json', ...headers },
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
    ...(body === undefined ? {} : { body }),
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > LIMIT) {
      throw new UserError('registry', `${of} answered with more than ${LIMIT} bytes`, {
        hint: 'Check proxies: this is not how it answers.',
      });
    }
    chunks.push(chunk);
  }
  return {
    status: response.status,
    text: Buffer.concat(chunks).toString('utf8'),
    retryAfter: response.headers.get('retry-after'),
  };
}
