import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exchange } from './emulator.ts';

const trickle = async (response: ServerResponse, body: Buffer, milliseconds: number): Promise<void> => {
  for (const byte of body) {
    if (response.destroyed) return;
    response.write(Buffer.of(byte));
    await sleep(milliseconds);
  }
  response.end();
};

/** Answers, unless a fault wants the answer lost. */
export const answer = (
  { response, socket, fault }: Exchange,
  status: number,
  headers: Record<string, string | number> = {},
  body?: Buffer | string,
): void => {
  if (fault?.kind === 'lose-answer') {
    socket.destroy();
    return;
  }
  const kept = Object.entries(headers).filter(([name]) => !(fault?.kind === 'no-location' && name === 'location'));
  response.writeHead(status, Object.fromEntries(kept));
  if (fault?.kind === 'trickle' && body !== undefined) trickle(response, Buffer.from(body), fault.milliseconds);
  else response.end(body);
};

/** distribution-spec, "Error codes"; a `reason` is where Quay and Artifactory say it. */
export const refuseFor = (
  exchange: Exchange,
  status: number,
  { code, message, reason }: { readonly code: string; readonly message: string; readonly reason: object },
): void => {
  const body = JSON.stringify({ errors: [{ code, message, detail: reason }] });
  answer(exchange, status, { 'content-type': 'application/json' }, body);
};

/** distribution-spec, "Error codes". */
export const refuse = (
  exchange: Exchange,
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): void => {
  const body = JSON.stringify({ errors: [{ code, message }] });
  answer(
    exchange,
    status,
    { 'content-type': 'application/json', ...headers },
    exchange.request.method === 'HEAD' ? undefined : body,
  );
};

/** The request's body; some faults stop it after so many bytes. */
export const readBody = async ({ request, fault }: Exchange): Promise<{ bytes: Buffer; isCut: boolean }> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if ((fault?.kind === 'cut-upload' || fault?.kind === 'mid-status') && size >= fault.after) {
      return { bytes: Buffer.concat(parts).subarray(0, fault.after), isCut: true };
    }
  }
  return { bytes: Buffer.concat(parts), isCut: false };
};
