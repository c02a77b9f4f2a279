import { connect } from 'node:net';
import type { Effects } from '../core/effects.ts';
import { describeNetworkError, isLastingNetworkError } from '../core/network-error.ts';
import { firstBytes } from '../core/stream.ts';
import type { ExpectedPort } from '../definition/image-tests.ts';
import { checkText, type Mismatch } from './check-text.ts';

/** Milliseconds between two attempts. */
const PAUSE = 100;

/**
 * Milliseconds a connection must stay open to count: docker and rootless podman accept every connection themselves, and
 * close it when nobody listens inside.
 */
const STAYS_OPEN = 500;

/** Bytes of an HTTP answer that are read. */
const ANSWER_LIMIT = 1024 * 1024;

export interface PortTools extends Pick<Effects, 'fetch' | 'clock'> {
  /**
   * Whether the connection that is open has reached its end: asked where something between takes connections and holds them
   * although nobody answers.
   */
  readonly isTaken?: () => Promise<boolean>;
}

/** How an attempt ended; `final` where another one would not help. */
type Attempt = { readonly mismatch: Mismatch; readonly final: boolean } | undefined;

/**
 * Asks a port of this machine's loopback address until it answers as stated, answers otherwise, or `signal` fires. An
 * HTTP status from 500 on is what a server says while it starts, so it is asked again.
 */
export async function askPort(
  port: ExpectedPort,
  hostPort: number,
  { fetch, clock, isTaken }: PortTools,
  signal: AbortSignal,
): Promise<Mismatch | undefined> {
  const attempt =
    port.path === null ? () => tryTcp(port, hostPort, signal, isTaken) : () => tryHttp(port, hostPort, fetch, signal);
  let last: Attempt = { mismatch: { expected: expectation(port), got: 'no answer' }, final: false };
  while (!signal.aborted) {
    const now = await attempt();
    if (!now) return undefined;
    if (!signal.aborted) last = now;
    if (now.final) break;
    await clock.sleep(PAUSE, signal).catch(() => undefined);
  }
  return last.mismatch;
}

export const expectation = ({ number, path, status }: ExpectedPort): string =>
  path === null ? `port ${number} to take a connection` : `port ${number} to answer GET ${path} with status ${status}`;

async function tryHttp(
  port: ExpectedPort,
  hostPort: number,
  fetch: PortTools['fetch'],
  signal: AbortSignal,
): Promise<Attempt> {
  const expected = expectation(port);
  try {
    const response = await fetch(`http://127.0.0.1:${hostPort}${port.path}`, { redirect: 'manual', signal });
    // A byte more than is looked at, to know whether there is more.
    const body = response.body ? await firstBytes(response.body, ANSWER_LIMIT + 1) : Buffer.alloc(0);
    if (response.status !== port.status)
      return { mismatch: { expected, got: `status ${response.status}` }, final: response.status < 500 };
    if (!port.text) return undefined;
    if (body.length > ANSWER_LIMIT) {
      const got = `more than that, with status ${response.status}`;
      return {
        mismatch: { expected: `${expected} and at most ${ANSWER_LIMIT} bytes, to look at its text`, got },
        final: true,
      };
    }
    const mismatch = checkText('answer', port.text, body.toString('utf8'));
    return mismatch && { mismatch, final: true };
  } catch (error) {
    const got = `no answer (${describeNetworkError(error)})`;
    return { mismatch: { expected, got }, final: isLastingNetworkError(error) };
  }
}

function tryTcp(
  port: ExpectedPort,
  hostPort: number,
  signal: AbortSignal,
  isTaken: PortTools['isTaken'] = async () => true,
): Promise<Attempt> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: hostPort });
    const end = (attempt: Attempt): void => {
      socket.destroy();
      signal.removeEventListener('abort', stopped);
      resolve(attempt);
    };
    const refused = (got: string): void => end({ mismatch: { expected: expectation(port), got }, final: false });
    const stopped = (): void => refused('no answer');
    signal.addEventListener('abort', stopped, { once: true });
    const look = (): void => {
      isTaken().then(
        (taken) => (taken ? end(undefined) : refused('no answer')),
        (error: unknown) => refused(`no answer (${String(error)})`),
      );
    };
    socket.once('connect', () => socket.setTimeout(STAYS_OPEN, look));
    socket.once('data', () => end(undefined));
    socket.once('error', ({ message }) => refused(`no answer (${message})`));
    socket.once('close', () => refused('a connection that was closed at once'));
  });
}
