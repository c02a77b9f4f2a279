import { UserError } from '../../../core/error.ts';
import { redactUrl, resolveLocation } from '../endpoint.ts';
import { isStreamed, type Reply, type Send } from '../send.ts';
import { drain } from './response-body.ts';

const REDIRECTS = 5;

/** Follows redirects to where `resolveLocation` allows; those of a body that cannot be sent again are the caller's. */
export const withRedirects =
  (send: Send, plainHosts: readonly string[]): Send =>
  async (request) => {
    let { url } = request;
    for (let hop = 0; ; hop += 1) {
      const reply = await send({ ...request, url });
      const next = isStreamed(request.body) ? undefined : target(reply, plainHosts);
      if (next === undefined) return reply;
      await drain(reply.response);
      if (hop >= REDIRECTS)
        throw new UserError('registry', `too many redirects from ${redactUrl(request.url)}`, {
          hint: 'Check the set-up of the registry and its proxies.',
        });
      url = next;
    }
  };

function target({ method, url, response }: Reply, plainHosts: readonly string[]): URL | undefined {
  const location = response.headers.get('location');
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return undefined;
  const next = resolveLocation(location, url, plainHosts);
  // Only 307 and 308 keep method and body (RFC 9110, 15.4).
  return method === 'GET' || method === 'HEAD' || response.status >= 307 ? next : undefined;
}
