import type { Log } from '../../core/log.ts';
import type { Clock, RetryPolicy } from '../../core/retry.ts';
import type { Reference } from '../../oci/reference.ts';
import type { RegistryRequest, Reply, Transport } from './transport.ts';

/** One repository's end of the distribution API: its URLs, scopes and sender. */
export interface RegistryApi {
  readonly transport: Transport;
  readonly repository: string;
  /** `https://ghcr.io/v2/org/app`. */
  readonly base: string;
  readonly scopes: readonly string[];
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  /** Milliseconds without a byte after which a registry is taken for dead. */
  readonly timeout: number;
  readonly log: Log;
  readonly plainHosts: readonly string[];
  readonly signal?: AbortSignal | undefined;
  send(request: Omit<RegistryRequest, 'scopes'> & { readonly scopes?: readonly string[] }): Promise<Reply>;
}

/** `repository:NAME:ACTIONS`, as token servers want it. */
export const scopeOf = (repository: string, actions: 'pull' | 'pull,push'): string =>
  `repository:${repository}:${actions}`;

export const createRegistryApi = (
  transport: Transport,
  { repository }: Reference,
  actions: 'pull' | 'pull,push',
  options: Pick<RegistryApi, 'clock' | 'retry' | 'timeout' | 'log' | 'plainHosts' | 'signal'>,
): RegistryApi => {
  const scopes = [scopeOf(repository, actions)];
  return {
    ...options,
    transport,
    repository,
    get base() {
      return `${transport.origin}/v2/${repository}`;
    },
    scopes,
    send: (request) => transport.send({ scopes, ...request }),
  };
};
