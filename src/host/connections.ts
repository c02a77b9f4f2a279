import { X509Certificate } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext, type SecureContext, setDefaultCACertificates } from 'node:tls';
import { UserError } from '../core/error.ts';
import { certsFolders, findHostCertificates, type HostCertificates } from './certs-folder.ts';
import { leadsToLoopback, type ProxyChoice, proxyOfEnvironment } from './proxy.ts';
import { trustedAuthorities } from './trust.ts';

/** Milliseconds that a proxy may take to open a tunnel, and that an unused connection is kept. */
const IDLE = 30_000;

/** How a URL is reached. */
export interface Route {
  readonly agent: HttpAgent;
  /** The proxy in between. */
  readonly proxy: URL | undefined;
}

interface NetworkSettings {
  readonly env: (name: string) => string | undefined;
  /** The user's folder of settings, `~/.config`. */
  readonly config: string;
}

function isReadable(certificate: string): boolean {
  try {
    new X509Certificate(certificate);
    return true;
  } catch {
    return false;
  }
}

/** The context with these authorities; those that OpenSSL cannot read are left out, as Go leaves them out. */
function contextOf(authorities: readonly string[], certificates: HostCertificates | undefined): SecureContext {
  const identities = certificates?.identities ?? [];
  const identity =
    identities.length === 0
      ? {}
      : { cert: identities.map(({ certificate }) => certificate), key: identities.map(({ key }) => key) };
  try {
    return createSecureContext({ ca: [...authorities], ...identity });
  } catch (error) {
    const readable = authorities.filter(isReadable);
    if (readable.length < authorities.length) return contextOf(readable, certificates);
    throw new UserError('file', `the certificates in ${certificates?.folder} cannot be used: ${String(error)}`, {
      hint: 'Certificates and keys are PEM; each *.cert belongs to the *.key of the same name.',
      cause: error,
    });
  }
}

/**
 * The process's connections, kept open between requests: through the environment's proxies, trusting what the system trusts
 * and what `certs.d` names for a registry. Nothing is read before the first https request.
 */
export class Connections {
  readonly #settings: NetworkSettings;
  readonly #proxyOf: ProxyChoice;
  readonly #plain = new Map<string, HttpAgent>();
  readonly #secure = new Map<string, Promise<HttpsAgent>>();
  #authorities: Promise<string[]> | undefined;
  #usual: Promise<SecureContext> | undefined;

  constructor(settings: NetworkSettings) {
    this.#settings = settings;
    this.#proxyOf = proxyOfEnvironment(settings.env);
  }

  /** Throws UserError for a proxy or a certificate that cannot be used. */
  async route(url: URL): Promise<Route> {
    const proxy = this.#proxyOf(url);
    if (url.protocol === 'https:') return { agent: await this.#secureAgent(url, proxy), proxy };
    const key = proxy?.href ?? '';
    const agent =
      this.#plain.get(key) ??
      new HttpAgent({ keepAlive: true, ...(proxy && { timeout: IDLE, proxyEnv: { HTTP_PROXY: proxy.href } }) });
    this.#plain.set(key, agent);
    return { agent, proxy };
  }

  #secureAgent(url: URL, proxy: URL | undefined): Promise<HttpsAgent> {
    // certs.d speaks of hosts with their ports, so each has an agent of its own.
    const key = `${url.host} ${proxy?.href ?? ''}`;
    const agent = this.#secure.get(key) ?? this.#openSecureAgent(url, proxy);
    this.#secure.set(key, agent);
    return agent;
  }

  async #openSecureAgent(url: URL, proxy: URL | undefined): Promise<HttpsAgent> {
    const certificates = await findHostCertificates(url, certsFolders(this.#settings));
    // As docker does: what listens here could be spoken to in plain http as well.
    const isLoopback = leadsToLoopback(url);
    // The context below is for the registry; an https proxy is trusted by the process's own list.
    if (proxy?.protocol === 'https:') setDefaultCACertificates(await this.#trusted());
    return new HttpsAgent({
      keepAlive: true,
      ...(proxy && { timeout: IDLE, proxyEnv: { HTTPS_PROXY: proxy.href } }),
      ...(isLoopback && { rejectUnauthorized: false }),
      secureContext: await this.#contextFor(certificates, isLoopback),
    });
  }

  async #contextFor(certificates: HostCertificates | undefined, isLoopback: boolean): Promise<SecureContext> {
    if (isLoopback) return contextOf([], certificates);
    if (certificates === undefined) {
      this.#usual ??= this.#trusted().then((authorities) => contextOf(authorities, undefined));
      return await this.#usual;
    }
    return contextOf([...(await this.#trusted()), ...certificates.authorities], certificates);
  }

  #trusted(): Promise<string[]> {
    this.#authorities ??= trustedAuthorities(this.#settings.env);
    return this.#authorities;
  }
}
