import { UserError } from '../../core/error.ts';
import { DOCKER_HUB } from '../../oci/reference.ts';

const withoutPort = (host: string): string => host.replace(/:\d+$/, '');

const isLoopback = (name: string): boolean =>
  name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name);

/** Whether `host`, with or without port, is this machine. */
export const isLoopbackHost = (host: string): boolean => isLoopback(withoutPort(host));

/** Whether the user named `host`, with its port or for all ports, as one that is spoken to in plain http. URLs leave port 80 out. */
export const isPlainHost = (host: string, plainHosts: readonly string[]): boolean =>
  plainHosts.includes(host) || plainHosts.includes(withoutPort(host)) || plainHosts.includes(`${host}:80`);

/** @internal Whether plain http may be spoken to `host` (with port): loopback, or named by the user. */
export const allowsPlainHttp = (host: string, plainHosts: readonly string[]): boolean =>
  isLoopbackHost(host) || isPlainHost(host, plainHosts);

/**
 * Names of one registry: as written, and with the port of its protocol left out or added. `host:443` is `host`; 80 is the
 * usual port of loopback hosts, which are spoken to in plain http.
 */
export function hostAliases(host: string): string[] {
  const port = isLoopbackHost(host) ? '(?:80|443)' : '443';
  const bare = host.replace(new RegExp(`:${port}$`), '');
  if (bare !== host) return [host, bare];
  if (withoutPort(host) !== host) return [host];
  return [host, `${host}:443`, ...(isLoopbackHost(host) ? [`${host}:80`] : [])];
}

// Docker Hub's name in references is not the name of its registry.
const HUB_REGISTRY = 'registry-1.docker.io';

/** What people call the registry that answers at `host`, as URLs have it. */
export const registryName = (host: string): string => (host === HUB_REGISTRY ? DOCKER_HUB : host);

/**
 * `https://ghcr.io`, `http://localhost:5000`: where the registry of a reference's host answers, as URLs say it: without the
 * protocol's own port.
 */
export function originOf(host: string, plainHosts: readonly string[]): string {
  if (host === DOCKER_HUB) return `https://${HUB_REGISTRY}`;
  return new URL(`${allowsPlainHttp(host, plainHosts) ? 'http' : 'https'}://${host}`).origin;
}

/** Without query, fragment and user: those may hold tokens and signatures. */
export function redactUrl(url: string | URL): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

/**
 * The URL with further parameters, each `name=value` encoded, after the query that it has. That query stays as it is, byte
 * for byte: it may be signed, or hold what the registry wants back unchanged.
 */
export function withQuery(url: string | URL, parameters: readonly (readonly [string, string])[]): URL {
  const longer = new URL(url);
  const own = longer.search.replace(/^\?/, '');
  const more = parameters.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  longer.search = [...(own === '' ? [] : [own]), ...more].join('&');
  return longer;
}

/**
 * Whether a server at `from` may send us to `to`: over https anywhere; in plain http only from loopback to loopback, and
 * from one host that the user named as plain to another. What https protects is never asked for in the clear, and a host
 * out on the network does not reach services of this machine through us.
 */
export function mayLeadTo(from: URL, to: URL, plainHosts: readonly string[]): boolean {
  if (to.protocol !== 'http:') return to.protocol === 'https:';
  const isLocal = isLoopbackHost(from.host);
  if (isLoopbackHost(to.host)) return isLocal;
  return (isLocal || from.protocol === 'http:') && allowsPlainHttp(to.host, plainHosts);
}

/**
 * The URL a registry sent us to, from `base`. Throws UserError `registry` when it is none, or not one that `mayLeadTo` allows.
 * A proxy that ends TLS often leaves http in a Location of the same host; that is mended, not followed.
 */
export function resolveLocation(location: string, base: string | URL, plainHosts: readonly string[]): URL {
  const from = new URL(base);
  const url = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (url?.protocol === 'http:' && from.protocol === 'https:' && url.host === from.host) url.protocol = 'https:';
  if (url !== undefined && mayLeadTo(from, url, plainHosts)) return url;
  throw new UserError(
    'registry',
    `${from.host} redirects to ${url ? redactUrl(url) : 'an invalid URL'}, which is not https`,
    {
      hint: 'Set the registry up to give out its public https address (behind a proxy: its configured external URL).',
    },
  );
}
