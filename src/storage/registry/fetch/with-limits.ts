import { PULLS_USED_UP, SECONDARY_LIMIT } from '../sayings.ts';
import type { Send } from '../send.ts';
import { peek } from './peek.ts';

/** Seconds to wait after GitHub's secondary limit, which names none: docs.github.com, "Rate limits for the REST API". */
const SECONDARY_WAIT = 60;

/**
 * Sees limits that registries tell in the body alone: gives GitHub's secondary limit the Retry-After that its documentation
 * asks for, and marks pulls that are used up for hours, which no other try brings back.
 */
export const withLimits =
  (send: Send): Send =>
  async (request) => {
    const answer = await send(request);
    if (![403, 429].includes(answer.response.status)) return answer;
    const { start, reply } = await peek(answer, request.method);
    const { status, headers } = reply.response;
    if (status === 403 && SECONDARY_LIMIT.test(start) && !headers.has('retry-after'))
      headers.set('retry-after', String(SECONDARY_WAIT));
    return status === 429 && PULLS_USED_UP.test(start) ? { ...reply, isUsedUp: true } : reply;
  };
