import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';

/** Milliseconds between two looks whether QEMU has made its socket. */
const PAUSE = 50;

/** What QEMU answers (docs/interop/qmp-spec): a greeting, events, and one line for each command. */
const answerSchema = z.union([
  z.object({ return: z.union([z.string(), z.object({})]) }),
  z.object({ error: z.object({ desc: z.string() }) }),
  z.object({ QMP: z.unknown() }),
  z.object({ event: z.string() }),
]);

/** Tells what the network of a machine looks like. */
interface Monitor {
  /** The connections of QEMU's user network, as its `info usernet` lists them. */
  network(): Promise<string>;
  close(): void;
}

/**
 * Speaks to QEMU over the socket that `-qmp` names, as soon as it is there. Undefined when `signal` fires before. Throws
 * UserError `test` where QEMU refuses, or answers otherwise than its protocol says.
 */
export async function openMonitor(path: string, clock: Clock, signal: AbortSignal): Promise<Monitor | undefined> {
  const socket = await connected(path, clock, signal);
  if (!socket) return undefined;
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const ask = async (execute: string, args?: Readonly<Record<string, string>>): Promise<string> => {
    socket.write(`${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })}\n`);
    for (;;) {
      const { value, done } = await lines.next();
      if (done) return '';
      const answer = decodeJson(value, answerSchema, { code: 'test', what: 'the answer of QEMU', isShown: true });
      if ('error' in answer) throw new UserError('test', `QEMU refuses ${execute}: ${answer.error.desc}`);
      if ('return' in answer) return typeof answer.return === 'string' ? answer.return : '';
    }
  };
  await ask('qmp_capabilities').catch((error: unknown) => {
    socket.destroy();
    throw error;
  });
  return {
    network: () => ask('human-monitor-command', { 'command-line': 'info usernet' }),
    close: () => socket.destroy(),
  };
}

async function connected(path: string, clock: Clock, signal: AbortSignal) {
  while (!signal.aborted) {
    const socket = connect(path);
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    // A machine that ends closes it; what waits for an answer then gets none.
    socket.on('error', () => undefined);
    if (isThere) return socket;
    await clock.sleep(PAUSE, signal).catch(() => undefined);
  }
  return undefined;
}

/** The port of this machine that QEMU forwards to `port` of the guest; undefined where there is none. */
export function forwardedPort(network: string, port: number): number | undefined {
  const found = rows(network).find(({ state, to }) => state === 'HOST_FORWARD' && to === port);
  return found?.from;
}

/**
 * Whether somebody in the guest has taken a connection to `port`. QEMU itself takes all of them at once, and holds them
 * while nobody answers.
 */
export const isTaken = (network: string, port: number): boolean =>
  rows(network).some(({ state, to }) => state === 'ESTABLISHED' && to === port);

/** `TCP[STATE] FD SOURCE PORT DESTINATION PORT …` */
const rows = (network: string) =>
  [...network.matchAll(/^\s*TCP\[(\w+)\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+(\d+)\s/gm)].map(([, state, from, to]) => ({
    state,
    from: Number(from),
    to: Number(to),
  }));
