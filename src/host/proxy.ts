import { BlockList, isIP } from 'node:net';
import { UserError } from '../core/error.ts';

type Environment = (name: string) => string | undefined;

/** Tells the proxy of a URL; undefined where the connection is direct. */
export type ProxyChoice = (url: URL) => URL | undefined;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** The protocols of proxies that can be spoken to. */
const PROXY_PROTOCOLS = ['http:', 'https:'];

/** Without the user and the password that it may hold. */
export const redactProxy = ({ protocol, host }: URL): string => `${protocol}//${host}`;

/** `::1` of the `[::1]` that URLs have. */
const bareName = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();

/** The name without the dot that ends a complete one. */
const nameOf = (url: URL): string => bareName(url.hostname).replace(/\.$/, '');

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4');

/** Whether `url` leads to this machine, where no proxy and no authority is needed. */
export function leadsToLoopback(url: URL): boolean {
  const name = nameOf(url);
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** One item of NO_PROXY: whether it takes a host, and the port it is for, if it is for one. */
interface Exception {
  readonly takes: (name: string) => boolean;
  readonly port: string | undefined;
}

function networkOf(text: string): Exception | undefined {
  const [address = '', prefix = ''] = text.split('/');
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix)) return undefined;
  const family = familyOf(address);
  if (Number(prefix) > (family === 'ipv4' ? 32 : 128)) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(prefix), family);
  return { takes: (name) => isIP(name) !== 0 && network.check(name, familyOf(name)), port: undefined };
}

function splitPort(text: string): { host: string; port: string | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  return { host: bracketed ?? plain ?? text, port };
}

function exceptionOf(item: string): Exception | undefined {
  if (item.includes('/')) return networkOf(item);
  const { host, port } = splitPort(item);
  if (host === '' || host === '.') return undefined;
  if (isIP(host) !== 0) {
    const address = new BlockList();
    address.addAddress(host, familyOf(host));
    return { takes: (name) => isIP(name) !== 0 && address.check(name, familyOf(name)), port };
  }
  const domain = host.replace(/^\*(?=\.)/, '');
  if (domain.startsWith('.')) return { takes: (name) => name.endsWith(domain), port };
  return { takes: (name) => name === domain || name.endsWith(`.${domain}`), port };
}

/** What NO_PROXY excepts. */
const exceptionsOf = (text: string): ((url: URL) => boolean) => {
  const items = text.split(',').map((item) => item.trim().toLowerCase());
  if (items.includes('*')) return () => true;
  const exceptions = items.map(exceptionOf).filter((exception) => exception !== undefined);
  return (url) => {
    const port = url.port || DEFAULT_PORTS[url.protocol];
    return exceptions.some(
      (exception) => exception.takes(nameOf(url)) && (exception.port === undefined || exception.port === port),
    );
  };
};

function parseProxy(variable: string, text: string): URL {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  // The value is not quoted unless it was understood: it may hold a password.
  if (url === undefined || url.hostname === '') {
    throw new UserError('input', `${variable} is not the URL of a proxy`, {
      hint: `Write it as http://HOST:PORT, with USER:PASSWORD@ before the host if the proxy wants them.`,
    });
  }
  if (PROXY_PROTOCOLS.includes(url.protocol)) return url;
  throw new UserError('input', `${variable} names the proxy ${redactProxy(url)}, which is not an HTTP proxy`, {
    hint: 'Name an http or https proxy, or except the registry with NO_PROXY.',
  });
}

/**
 * Which proxy a URL is reached through, by the rules of Go's `http.ProxyFromEnvironment`, which docker, podman and skopeo
 * follow: HTTPS_PROXY for https, HTTP_PROXY for http, NO_PROXY for exceptions, each also in lower case; never for loopback.
 * The returned function throws UserError `input` for a proxy that cannot be used.
 */
export function proxyOfEnvironment(env: Environment): ProxyChoice {
  const variable = (name: string) => [name, name.toLowerCase()].find((spelling) => env(spelling) !== undefined);
  const chosen = (protocol: string): string | undefined => {
    if (protocol === 'https:') return variable('HTTPS_PROXY');
    // In a CGI program, a request's header `Proxy` becomes HTTP_PROXY (https://httpoxy.org).
    return env('REQUEST_METHOD') === undefined ? variable('HTTP_PROXY') : undefined;
  };
  const noProxy = variable('NO_PROXY');
  const isExcepted = exceptionsOf((noProxy && env(noProxy)) ?? '');
  return (url) => {
    const name = chosen(url.protocol);
    const text = name && env(name);
    if (!name || !text || leadsToLoopback(url) || isExcepted(url)) return undefined;
    return parseProxy(name, text);
  };
}

/** What of the environment's proxies must never be shown: passwords, as they are written and as they are meant. */
export const proxySecrets = (env: Environment): string[] =>
  ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']
    .flatMap((name) => [env(name), env(name.toLowerCase())])
    .flatMap((text) => {
      const password = /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^/@:]*:(.*)@/i.exec(text ?? '')?.[1];
      return password ? [password, decoded(password)] : [];
    });

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
