import { mayLeadTo, originOf } from '../endpoint.ts';
import type { Send } from '../send.ts';

/** Where a registry answers: as its name tells, and for loopback hosts as it was found out. */
export class RegistryOrigin {
  readonly #named: string;
  readonly #plainHosts: readonly string[];
  readonly #find: () => Promise<string>;
  #current: string;

  constructor(host: string, plainHosts: readonly string[], find: () => Promise<string>) {
    this.#named = originOf(host, plainHosts);
    this.#current = this.#named;
    this.#plainHosts = plainHosts;
    this.#find = find;
  }

  /** URLs of the registry that were made before the first request was sent are good afterwards, too. */
  get current(): string {
    return this.#current;
  }

  /** Whether the registry may send us to `url`, with credentials. */
  allows(url: URL): boolean {
    return mayLeadTo(new URL(this.#current), url, this.#plainHosts);
  }

  /** The URL under the origin that was found out. */
  async locate(url: URL): Promise<URL> {
    this.#current = await this.#find();
    return url.origin === this.#named ? new URL(this.#current + url.pathname + url.search) : url;
  }
}

/** Sends to where the registry answers. */
export const withOrigin =
  (send: Send, origin: RegistryOrigin): Send =>
  async (request) =>
    send({ ...request, url: await origin.locate(request.url) });
