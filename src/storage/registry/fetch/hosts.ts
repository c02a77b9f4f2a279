import { codesOf, provesTls } from '../../../core/network-error.ts';
import type { Clock } from '../../../core/retry.ts';
import { isLoopbackHost, isPlainHost, originOf } from '../endpoint.ts';
import { Allowance } from './allowance.ts';
import { RequestBudget } from './request-budget.ts';
import { drain } from './response-body.ts';
import type { Fetch } from './with-log.ts';

/** Milliseconds after which what listens on this machine is taken not to speak TLS. */
const HANDSHAKE = 2000;

/** Nothing answered, so nothing was learned. */
const UNREACHED = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];

/** What a process learns about the hosts it speaks to, shared by all its repositories. */
export class Hosts {
  readonly #clock: Clock;
  readonly #budgets = new Map<string, RequestBudget>();
  readonly #allowances = new Map<string, Allowance>();
  readonly #written = new Map<string, Set<string>>();
  readonly #blobs = new Map<string, Map<string, string>>();
  readonly #secure = new Map<string, Promise<boolean | undefined>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The budget of requests to `host`, as URLs have it. */
  budget(host: string): RequestBudget {
    const budget = this.#budgets.get(host) ?? new RequestBudget(host, this.#clock);
    this.#budgets.set(host, budget);
    return budget;
  }

  /** What `host` still allows. */
  allowance(host: string): Allowance {
    const allowance = this.#allowances.get(host) ?? new Allowance(host);
    this.#allowances.set(host, allowance);
    return allowance;
  }

  /** Manifests that `repository` of `host` has taken from this process, by digest and tag. */
  written(host: string, repository: string): Set<string> {
    const key = `${host}/${repository}`;
    const written = this.#written.get(key) ?? new Set();
    this.#written.set(key, written);
    return written;
  }

  /** A repository of `host` in which this process has put or seen a blob, by digest. */
  blobs(host: string): Map<string, string> {
    const blobs = this.#blobs.get(host) ?? new Map<string, string>();
    this.#blobs.set(host, blobs);
    return blobs;
  }

  /**
   * The origin of the registry `host` (as references have it). Loopback hosts are asked once whether they speak TLS, as
   * docker does; those in `plainHosts` are not asked.
   */
  async origin(host: string, plainHosts: readonly string[], fetch: Fetch, signal?: AbortSignal): Promise<string> {
    const usual = originOf(host, plainHosts);
    if (!isLoopbackHost(host) || isPlainHost(host, plainHosts)) return usual;
    const asked = this.#secure.get(host) ?? speaksTls(host, fetch, signal);
    this.#secure.set(host, asked);
    const isSecure = await asked;
    if (isSecure === undefined) this.#secure.delete(host);
    return isSecure ? new URL(`https://${host}`).origin : usual;
  }
}

/** Undefined when nothing answered. */
async function speaksTls(host: string, fetch: Fetch, signal?: AbortSignal): Promise<boolean | undefined> {
  const limit = AbortSignal.timeout(HANDSHAKE);
  try {
    const response = await fetch(`https://${host}/v2/`, {
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    await drain(response);
    return true;
  } catch (error) {
    if (signal?.aborted || codesOf(error).some((code) => UNREACHED.includes(code))) return undefined;
    return provesTls(error);
  }
}
