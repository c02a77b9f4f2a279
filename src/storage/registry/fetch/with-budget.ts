import type { Log } from '../../../core/log.ts';
import type { Clock, RetryPolicy } from '../../../core/retry.ts';
import { isStreamed, type Send } from '../send.ts';
import type { RegistryWays } from '../ways.ts';
import type { Hosts } from './hosts.ts';

/** Waits for the turn of each request in its host's budget, which learns from the reply whether there were too many. */
export const withBudget =
  (
    send: Send,
    hosts: Hosts,
    { clock, policy, log, signal }: { clock: Clock; policy: RetryPolicy; log: Log; signal: AbortSignal | undefined },
    ways: Pick<RegistryWays, 'limitOf'>,
  ): Send =>
  async (request) => {
    const budget = hosts.budget(request.url.host);
    await budget.turn(signal, ways.limitOf?.(request));
    const sentAt = clock.now();
    const reply = await send(request);
    hosts.allowance(request.url.host).heed(reply.response, log);
    // That is for pulls alone, and no pause of minutes brings it back.
    if (!reply.isUsedUp) budget.heed(reply.response, { sentAt, policy, log });
    return reply;
  };

/**
 * Keeps few requests under way to one host. A streamed one takes none of their places: what it waits for may be waiting for
 * those.
 */
export const withFewAtOnce =
  (send: Send, hosts: Hosts): Send =>
  (request) =>
    isStreamed(request.body) ? send(request) : hosts.budget(request.url.host).inFlight(() => send(request));
