import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';

/** The header by which the storage client asks for a part of an entry. */
const RANGE = 'x-ms-range';

/** Calls `work` once, before this process asks for the first part of an entry: nothing is sent until it returns. Node tells of each request by itself. */
export function beforeFirstPart(work: () => void): void {
  let hasBegun = false;
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { readonly request: ClientRequest };
    if (hasBegun || !request.hasHeader(RANGE)) return;
    hasBegun = true;
    work();
  });
}
