import { readFileSync } from 'node:fs';
import { setDefaultCACertificates } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  ASKS,
  ENTRY_FILE,
  READS,
  TRANSFERRED,
  type Transfer,
  type TransferReport,
  transferSchema,
} from '../github/cache/transfer.ts';
import { beforeFirstPart } from './first-part.ts';
import { InputLines } from './input-lines.ts';
import { trustedAuthorities } from './trust.ts';

/** Milliseconds between two looks at whether the process that waits for this one is still there. */
const PARENT_CHECK = 1000;

/** The children of this process, where the system tells them (Linux). */
function childrenHere(): number[] {
  try {
    return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Ends this process together with the tar that it has started, which would go on writing. */
function stop(): void {
  for (const child of childrenHere()) process.kill(child, 'SIGKILL');
  process.exit(1);
}

function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop();
  }, PARENT_CHECK).unref();
}

/**
 * Has a signal end the tar too, from now on. Not before this process has stood still: its listeners would wait as long, and a signal
 * that is on its way to one is lost where it is taken off. Without one the system ends the process at once.
 */
function endTarOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    if (process.listenerCount(signal) === 0) process.on(signal, stop);
}

/** Asks for this process's turn and stands still until it comes; ends the process where none will. */
function waitForTurn(input: InputLines, say: (line: string) => void): void {
  say(`${ASKS}\n`);
  if (input.next() === undefined) process.exit(0);
  endTarOnSignals();
}

/** Milliseconds between two collections of what has been copied already: 2 MB at 100 MB/s, and on a faster line a tenth of an entry. */
const COLLECT_EVERY = 20;

/**
 * Reads along what the client says. When it is about to read an entry, it waits for this process's turn: that it has asked for the
 * entry's place and size, and for memory, is a quarter of its time. Meanwhile and afterwards it
 * gives back memory sooner than Node would: two such processes are there at once, and this one holds the whole entry until tar and
 * zstd unpack it.
 */
function readAlong(input: InputLines): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;
  const write = process.stdout.write.bind(process.stdout) as (...args: readonly unknown[]) => boolean;
  let isReading = false;
  let copying: NodeJS.Timeout | undefined;
  const before = (): void => {
    waitForTurn(input, write);
    copying = setInterval(() => collect({ type: 'minor' }), COLLECT_EVERY);
  };
  process.stdout.write = (...args: readonly unknown[]): boolean => {
    const line = String(args[0]);
    // Once: nobody would answer a second time.
    if (!isReading && READS.test(line)) {
      isReading = true;
      collect();
      beforeFirstPart(before);
    } else if (TRANSFERRED.test(line)) {
      endTarOnSignals();
      clearInterval(copying);
      setImmediate(collect);
    }
    return write(...args);
  };
}

async function perform(
  { restoreCache, saveCache }: typeof import('@actions/cache'),
  { verb, key }: Transfer,
  input: InputLines,
): Promise<TransferReport> {
  if (verb === 'save') {
    waitForTurn(input, (line) => process.stdout.write(line));
    return { id: await saveCache([ENTRY_FILE], key) };
  }
  if (verb === 'restore') readAlong(input);
  const found = await restoreCache([ENTRY_FILE], key, [], { lookupOnly: verb === 'look-up' });
  return found === undefined ? {} : { found };
}

/**
 * Moves one entry between GitHub's cache and the file `ENTRY_FILE` in this process's folder, as the first line of standard input
 * says, which may come long after it was started; the second one lets it move the bytes. It is a process of its own since @actions/cache cannot be stopped, takes paths
 * from the process's folder and environment, keeps what it has read in memory, and says what went wrong in its log only, which
 * is standard output here.
 */
export async function serveTransfer(): Promise<void> {
  endWithParent();
  const input = new InputLines();
  const client = await import('@actions/cache');
  // The client asks Node's own list only.
  const { authorities } = await trustedAuthorities((name) => process.env[name] || undefined);
  setDefaultCACertificates([...authorities]);
  const line = input.next();
  if (line === undefined) process.exit(0);
  const report = await perform(client, transferSchema.parse(JSON.parse(line)), input).catch(
    (error: unknown): TransferReport => ({ thrown: error instanceof Error ? error.message : String(error) }),
  );
  process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0));
}
