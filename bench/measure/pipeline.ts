import { execFile } from 'node:child_process';
import { open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from './command.ts';
import { startTimed } from './timed.ts';
import type { Usage } from './usage.ts';

const run = promisify(execFile);

export interface Piped {
  /** From the start of the first to the end of the second. */
  readonly wallSeconds: number;
  readonly from: Usage;
  readonly to: Usage;
  /** Bytes that came out of the second. */
  readonly outputBytes: number;
}

/**
 * Runs `from | to | wc --bytes`. The pipes are the kernel's own, as in a shell: those that Node makes between children are
 * sockets, which are slower. `wc` counts in no figure.
 */
export async function piped(from: Command, to: Command, scratch: string): Promise<Piped> {
  const first = await pipe(scratch);
  const second = await pipe(scratch);
  const countFile = join(scratch, `count-${crypto.randomUUID()}`);
  const count = await open(countFile, 'w');
  const begin = performance.now();
  const started = [
    startTimed(from, scratch, ['ignore', first.write.fd, 'pipe']),
    startTimed(to, scratch, [first.read.fd, second.write.fd, 'pipe']),
    startTimed({ program: 'wc', args: ['--bytes'] }, scratch, [second.read.fd, count.fd, 'pipe']),
  ];
  // Ours must be closed, or nobody would see the end.
  for (const handle of [first.read, first.write, second.read, second.write, count]) await handle.close();
  const [source, sink] = await Promise.all(started.map(({ ended }) => ended));
  const wallSeconds = (performance.now() - begin) / 1000;
  if (source === undefined || sink === undefined) throw new Error('a pipeline has two commands');
  const outputBytes = Number(await readFile(countFile, 'utf8'));
  await unlink(countFile);
  return { wallSeconds, from: source, to: sink, outputBytes };
}

async function pipe(scratch: string) {
  const file = join(scratch, `pipe-${crypto.randomUUID()}`);
  await run('mkfifo', [file]);
  // Each opens only when the other does.
  const [read, write] = await Promise.all([open(file, 'r'), open(file, 'w')]);
  await unlink(file);
  return { read, write };
}
