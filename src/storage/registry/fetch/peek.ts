import type { Reply } from '../send.ts';
import { readCapped } from './response-body.ts';

/** Bytes in which a registry says what is the matter. */
const START = 1024;

/** The start of a reply's body, and the reply as it was before that was read, without what follows. */
export async function peek(reply: Reply, method: string): Promise<{ readonly start: string; readonly reply: Reply }> {
  const { response } = reply;
  const bytes = await readCapped(response, START).catch(() => Buffer.alloc(0));
  const { status, statusText, headers } = response;
  const body = method === 'HEAD' ? null : new Uint8Array(bytes);
  return {
    start: bytes.toString('utf8'),
    reply: { ...reply, response: new Response(body, { status, statusText, headers }) },
  };
}
