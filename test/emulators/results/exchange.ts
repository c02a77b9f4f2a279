import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Fault } from './faults.ts';

/** One request on its way through the emulator. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Kept apart, since a request that ends early lets go of it. */
  readonly socket: Socket;
  readonly url: URL;
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly fault: Fault | undefined;
}

/** Answers, unless a fault wants the answer lost. */
export const answer = (
  { response, socket, fault }: Exchange,
  status: number,
  headers: Readonly<Record<string, string | number>>,
  body: Buffer | string,
): void => {
  if (fault?.kind === 'lose-answer') {
    socket.destroy();
    return;
  }
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
  response.end(body);
};

/** The request's body; undefined when a fault cut it off, and with it the connection. */
export const readBody = async ({ request, socket, fault }: Exchange): Promise<Buffer | undefined> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (fault?.kind === 'cut-upload' && size >= fault.after) {
      socket.destroy();
      return undefined;
    }
  }
  return Buffer.concat(parts);
};
