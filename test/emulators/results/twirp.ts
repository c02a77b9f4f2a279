import { z } from 'zod';
import { answer, type Exchange, readBody } from './exchange.ts';
import type { Caller, TokenOffice } from './tokens.ts';
import { TWIRP_STATUS, TwirpError } from './twirp-error.ts';

/** What a method is told about its caller. */
export interface Call {
  /** What the caller's token says. */
  readonly caller: Caller;
  readonly origin: string;
  readonly expired: boolean;
}

/** A method takes the parsed body and gives the answer's JSON; it throws TwirpError to refuse. */
export interface Method {
  readonly request: z.ZodType;
  readonly run: (request: never, call: Call) => object;
}

/** Ties a method to the type of its request. */
export const method = <T>(request: z.ZodType<T>, run: (request: T, call: Call) => object): Method => ({ request, run });

/** Methods by name, by the full name of their service. */
export type Services = Readonly<Record<string, Readonly<Record<string, Method>>>>;

/** `/twirp/SERVICE/METHOD`; undefined for other paths. */
export const twirpRoute = (path: string): { readonly service: string; readonly name: string } | undefined => {
  const [, service, name] = /^\/twirp\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  return service !== undefined && name !== undefined ? { service, name } : undefined;
};

const parseBody = (schema: z.ZodType, body: Buffer): unknown => {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new TwirpError('malformed', 'the json request could not be decoded');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new TwirpError('malformed', `the json request could not be decoded: ${z.prettifyError(result.error)}`);
};

const dispatch = (exchange: Exchange, body: Buffer, services: Services, tokens: TokenOffice): object => {
  const { request, url, origin, fault } = exchange;
  const route = twirpRoute(url.pathname);
  const found = route && services[route.service]?.[route.name];
  if (!found) throw new TwirpError('bad_route', `no handler for path ${url.pathname}`);
  if (request.method !== 'POST') throw new TwirpError('bad_route', `unsupported method ${request.method}`);
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim();
  if (type !== 'application/json') throw new TwirpError('bad_route', `unexpected Content-Type: ${type}`);
  const caller = tokens.check(request.headers.authorization);
  // The schema and the function come from one call of `method`, which made sure that they fit.
  return found.run(parseBody(found.request, body) as never, { caller, origin, expired: fault?.kind === 'expired' });
};

/** Serves one call (twirp wire protocol, JSON). */
export const serveTwirp = async (exchange: Exchange, services: Services, tokens: TokenOffice): Promise<void> => {
  const body = await readBody(exchange);
  if (body === undefined) return;
  const headers = { 'content-type': 'application/json' };
  try {
    answer(exchange, 200, headers, JSON.stringify(dispatch(exchange, body, services, tokens)));
  } catch (error) {
    const refusal = error instanceof TwirpError ? error : new TwirpError('internal', String(error));
    const text = JSON.stringify({ code: refusal.code, msg: refusal.message });
    answer(exchange, TWIRP_STATUS[refusal.code], { ...headers, ...refusal.headers }, text);
  }
};
