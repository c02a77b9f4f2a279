import type { Log } from '../../../core/log.ts';
import type { Clock } from '../../../core/retry.ts';
import { sizeText } from '../../../core/size.ts';
import { redactUrl } from '../endpoint.ts';

export type Fetch = typeof globalThis.fetch;

/**
 * Says of every request what `--verbose` shows: method, URL without query (which may hold tokens and signatures), status,
 * time to the reply's headers, and bytes as far as they are known by then: those of the request, else those of the reply.
 */
export const withLog =
  (fetch: Fetch, log: Log, clock: Pick<Clock, 'now'>): Fetch =>
  async (input, init = {}) => {
    const what = `${init.method ?? 'GET'} ${redactUrl(input instanceof Request ? input.url : input)}`;
    const sent = counted(init);
    const start = clock.now();
    const time = (): string => `${clock.now() - start} ms`;
    try {
      const response = await fetch(input, sent.init);
      const bytes = sent.bytes() || Number(response.headers.get('content-length') ?? 0);
      const direction = sent.bytes() > 0 ? 'sent' : 'received';
      log.debug(`${what}: ${response.status}, ${time()}${bytes > 0 ? `, ${sizeText(bytes)} ${direction}` : ''}`);
      return response;
    } catch (error) {
      log.debug(`${what}: no answer, ${time()}${sent.bytes() > 0 ? `, ${sizeText(sent.bytes())} sent` : ''}`);
      throw error;
    }
  };

/** The request, and how many bytes of its body have been taken so far. */
function counted(init: RequestInit): { readonly init: RequestInit; bytes(): number } {
  const { body } = init;
  let size = 0;
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)) return { init, bytes: () => size };
  async function* pieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      yield chunk;
      size += chunk.length;
    }
  }
  return { init: { ...init, body: pieces(body) }, bytes: () => size };
}
