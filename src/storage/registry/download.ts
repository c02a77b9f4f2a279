import { UserError } from '../../core/error.ts';
import { describeNetworkError, networkFailure } from '../../core/network-error.ts';
import { backoff, sleep } from '../../core/retry.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { DigestCheck, digestMismatch } from '../../oci/digest-check.ts';
import type { RegistryClient } from './client.ts';
import { SlowLineError } from './fetch/pace.ts';

/** Bytes of one try that count as progress: a line that is cut again and again must at least move in between. */
const PROGRESS = 256 * 1024;

function rangeStart(header: string | null): number | undefined {
  const start = /^bytes (\d+)-/.exec(header ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

/** The body from `offset` on, whether or not the registry knows ranges. */
async function* readFrom(client: RegistryClient, url: URL, offset: number): AsyncGenerator<Uint8Array> {
  const headers = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const reply = await client.send({ method: 'GET', url, headers }, offset > 0 ? [200, 206] : [200]);
  const { response } = reply;
  const start = response.status === 206 ? (rangeStart(response.headers.get('content-range')) ?? offset) : 0;
  if (start > offset) throw new Error(`asked for bytes from ${offset} on, got those from ${start} on`);
  let skip = offset - start;
  for await (const chunk of client.read(reply)) {
    const left = Math.min(skip, chunk.length);
    skip -= left;
    if (left < chunk.length) yield left > 0 ? chunk.subarray(left) : chunk;
  }
}

/**
 * Streams a blob, going on where a cut connection left off. Throws UserError `digest` when the bytes are not those
 * of the descriptor (too many at once, wrong ones at the end), `registry` when the registry fails for good.
 */
export async function* downloadBlob(client: RegistryClient, descriptor: Descriptor): AsyncGenerator<Uint8Array> {
  const url = client.url(`blobs/${descriptor.digest}`);
  const check = new DigestCheck();
  let failures = 0;
  while (check.size < descriptor.size || failures === 0) {
    const before = check.size;
    let problem: unknown;
    try {
      for await (const chunk of readFrom(client, url, check.size)) {
        if (check.size + chunk.length > descriptor.size)
          throw digestMismatch(url.href, descriptor, 'more bytes than that');
        check.update(chunk);
        yield chunk;
      }
      if (check.size === descriptor.size) break;
      problem = new Error(`it ended after ${check.size} of ${descriptor.size} bytes`);
    } catch (error) {
      if (error instanceof UserError) throw error;
      problem = error;
    }
    // A line that moves is not given up, however often it is cut; one that trickles is.
    const isMoving = check.size - before >= PROGRESS && !(problem instanceof SlowLineError);
    failures = isMoving ? 1 : failures + 1;
    if (failures >= client.retry.attempts) throw networkFailure(problem, `GET ${url}`, url.host);
    const delay = backoff(client.retry, failures, client.clock.random());
    client.log.debug(`GET ${url} was cut (${describeNetworkError(problem)}); going on at byte ${check.size}`);
    await sleep(client.clock, delay, client.signal);
  }
  check.finish(descriptor, url.href);
}
