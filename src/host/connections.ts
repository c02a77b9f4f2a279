import { X509Certificate } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createSecureContext, type SecureContext, setDefaultCACertificates } from 'node:tls';
import { UserError } from '../core/error.ts';
import { certsFolders, findHostCertificates, type HostCertificates } from './certs-folder.ts';
import { leadsToLoopback, type ProxyChoice, proxyOfEnvironment } from './proxy.ts';
import { type Trust, trustedAuthorities } from './trust.ts';

/** Milliseconds that a proxy may take to open a tunnel, and that an unused connection is kept. */
const IDLE = 30_000;

/** How a URL is reached. */
export interface Route {
  readonly agent: HttpAgent;
  /** The proxy in between. */
  readonly proxy: URL | undefined;
  /** Where the authorities are from that the server is trusted by, for messages; undefined in plain http. */
  readonly trust?: readonly string[] | undefined;
}

/** An agent for one server over TLS. */
interface SecureRoute {
  readonly agent: HttpsAgent;
  readonly trust: readonly string[];
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
      hint: 'Certificates and keys are PEM, keys without a passphrase; each *.cert belongs to the *.key of the same name.',
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
  readonly #secure = new Map<string, Promise<SecureRoute>>();
  #authorities: Promise<Trust> | undefined;
  #usual: SecureContext | undefined;

  constructor(settings: NetworkSettings) {
    this.#settings = settings;
    this.#proxyOf = proxyOfEnvironment(settings.env);
  }

  /** Throws UserError for a proxy or a certificate that cannot be used. */
  async route(url: URL): Promise<Route> {
    const proxy = this.#proxyOf(url);
    if (url.protocol === 'https:') return { ...(await this.#secureRoute(url, proxy)), proxy };
    const key = proxy?.href ?? '';
    const agent =
      this.#plain.get(key) ??
      new HttpAgent({ keepAlive: true, ...(proxy && { timeout: IDLE, proxyEnv: { HTTP_PROXY: proxy.href } }) });
    this.#plain.set(key, agent);
    return { agent, proxy };
  }

  #secureRoute(url: URL, proxy: URL | undefined): Promise<SecureRoute> {
    // certs.d speaks of hosts with their ports, so each has an agent of its own.
    const key = `${url.host} ${proxy?.href ?? ''}`;
    const route = this.#secure.get(key) ?? this.#openSecureRoute(url, proxy);
    this.#secure.set(key, route);
    return route;
  }

  async #openSecureRoute(url: URL, proxy: URL | undefined): Promise<SecureRoute> {
    const folders = certsFolders(this.#settings);
    const certificates = await findHostCertificates(url, folders);
    // As docker does: what listens here could be spoken to in plain http as well.
    const isLoopback = leadsToLoopback(url);
    const trust = isLoopback ? { authorities: [], origins: [] } : await this.#trusted();
    // The context below is for the registry; an https proxy is trusted by the process's own list.
    if (proxy?.protocol === 'https:') setDefaultCACertificates([...(await this.#trusted()).authorities]);
    const agent = new HttpsAgent({
      keepAlive: true,
      ...(proxy && { timeout: IDLE, proxyEnv: { HTTPS_PROXY: proxy.href } }),
      ...(isLoopback && { rejectUnauthorized: false }),
      secureContext: this.#contextFor(certificates, trust, isLoopback),
    });
    const own = certificates?.folder ?? `no folder for ${url.host} in ${folders.join(', ')}`;
    return { agent, trust: [...trust.origins, own] };
  }

  #contextFor(certificates: HostCertificates | undefined, trust: Trust, isLoopback: boolean): SecureContext {
    if (isLoopback) return contextOf([], certificates);
    if (certificates !== undefined) return contextOf([...trust.authorities, ...certificates.authorities], certificates);
    this.#usual ??= contextOf(trust.authorities, undefined);
    return this.#usual;
  }

  #trusted(): Promise<Trust> {
    this.#authorities ??= trustedAuthorities(this.#settings.env);
    return this.#authorities;
  }
}
