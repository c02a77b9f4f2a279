import { UserError } from './error.ts';

// The innermost causes carry what happened; fetch itself only says "fetch failed".
const DEPTH = 5;

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  let at: unknown = error;
  while (at instanceof Error && chain.length < DEPTH) {
    chain.push(at);
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return chain;
}

export const codesOf = (error: unknown): string[] =>
  causes(error).flatMap((cause) => ('code' in cause && typeof cause.code === 'string' ? [cause.code] : []));

const LASTING =
  /^(ENOTFOUND|CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|EPROTO|ERR_INVALID|ERR_PROXY_LOGIN|ERR_PROXY_REFUSED)/;

/** What went wrong with a certificate, or was said in TLS: the other side speaks it. */
const SPOKEN_TLS = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|ERR_TLS_CERT|ERR_SSL_[\w/]*ALERT)/;

/** What is wrong with a certificate that nobody vouches for: which authorities were known matters then. */
const UNTRUSTED = /^(CERT_(SIGNATURE|UNTRUSTED|REJECTED)|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/;

/** What fetch says, without a code, of ports that belong to other protocols (https://fetch.spec.whatwg.org/#port-blocking). */
const BLOCKED_PORT = 'bad port';

const BLOCKED_HINT =
  'Let the registry listen on another port: the list of refused ones is at https://fetch.spec.whatwg.org/#port-blocking.';

const CERTIFICATES = 'registries.md#certificates';
const PROXIES = 'registries.md#proxies';

/** What to do, and the page on it, by the code of the failure; the first that fits counts. */
const ADVICE: readonly (readonly [RegExp, string, string?])[] = [
  [/^ENOTFOUND$/, 'No such host. Check the name of the registry.'],
  [
    /^ERR_SSL_[\w/]*ALERT_\w*(CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)/,
    'The host wants a client certificate, or does not take the one it got. Put NAME.cert and NAME.key into its folder in certs.d.',
    CERTIFICATES,
  ],
  [
    /^(ERR_SSL_|EPROTO)/,
    'The host does not speak TLS. If it is a registry in plain http, name it as one.',
    'registries.md#plain-http',
  ],
  [
    /^CERT_(HAS_EXPIRED|NOT_YET_VALID)/,
    'Its certificate is not valid today. Have it renewed, or set the clock of this machine.',
  ],
  [
    /^(ERR_TLS_CERT_ALTNAME|HOSTNAME_MISMATCH)/,
    'Its certificate is for other names. Use a name that is in it, or have one made for this name.',
  ],
  [
    /^(CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/,
    'Its certificate is not trusted. Add its authority to the certificates of this machine, to certs.d, or name its file in SSL_CERT_FILE.',
    CERTIFICATES,
  ],
  [
    /^ERR_PROXY_REFUSED$/,
    'The proxy does not let this host through. Ask for that where the proxy is run, or except the registry with NO_PROXY.',
    PROXIES,
  ],
  [/^ERR_PROXY_/, 'Check HTTPS_PROXY, HTTP_PROXY and their password, or except the registry with NO_PROXY.', PROXIES],
  [/^ECONNREFUSED$/, 'Nothing listens there. Check host and port, and that the registry runs.'],
];

/** Of OpenSSL's `THREAD:error:NUMBER:SSL routines:FUNCTION:REASON:FILE:…`, wherever it begins, the reason alone. */
const withReason = (text: string): string =>
  text.replace(/[0-9A-F]{8,16}:error:[0-9A-F]{8}:[^:]{0,40}:[^:]{0,80}:([^:]+):[\s\S]*$/, '$1');

/** What happened, in one line and without addresses that hold secrets. */
export function describeNetworkError(error: unknown): string {
  const chain = causes(error);
  const last = chain.at(-1);
  const code = codesOf(error).at(-1);
  if (last?.message === BLOCKED_PORT) return 'HTTP clients refuse this port because it belongs to another protocol';
  // fetch's own words, where no cause says more.
  if (last?.message === 'fetch failed') return 'the connection failed without a stated reason';
  const message = withReason(last?.message ?? '') || (code ?? String(error));
  return code === undefined || message.includes(code) ? message : `${message}, ${code}`;
}

/** Whether a connection over TLS failed for what was said in TLS, and not because the other side does not speak it. */
export const provesTls = (error: unknown): boolean => codesOf(error).some((code) => SPOKEN_TLS.test(code));

/** Whether a server's certificate was not trusted, whatever the authorities were that were asked. */
export const isUntrusted = (error: unknown): boolean => codesOf(error).some((code) => UNTRUSTED.test(code));

/** Whether another try cannot help: a name that is unknown, a certificate that is not trusted. */
export const isLastingNetworkError = (error: unknown): boolean =>
  codesOf(error).some((code) => LASTING.test(code)) || causes(error).some(({ message }) => message === BLOCKED_PORT);

/** The error a person sees when a registry could not be reached. `what` is the method and redacted URL. */
export function networkFailure(error: unknown, what: string, host: string): UserError {
  const [, hint, docs] = ADVICE.find(([pattern]) => codesOf(error).some((code) => pattern.test(code))) ?? [];
  const blocked = causes(error).some(({ message }) => message === BLOCKED_PORT);
  return new UserError('registry', `cannot reach ${host}: ${what}: ${describeNetworkError(error)}`, {
    hint: blocked ? BLOCKED_HINT : (hint ?? 'Check the network, proxies and the registry’s state, and run again.'),
    docs: blocked ? undefined : docs,
    cause: error,
  });
}
