import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setDefaultCACertificates } from 'node:tls';
import { ENTRY_FILE, type Transfer, type TransferReport, transferSchema } from '../github/cache/transfer.ts';
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
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) stop();
  }, PARENT_CHECK).unref();
}

async function perform({ verb, key }: Transfer): Promise<TransferReport> {
  const { restoreCache, saveCache } = await import('@actions/cache');
  if (verb === 'save') return { id: await saveCache([ENTRY_FILE], key) };
  const found = await restoreCache([ENTRY_FILE], key, [], { lookupOnly: verb === 'look-up' });
  return found === undefined ? {} : { found };
}

/**
 * Moves one entry between GitHub's cache and the file `ENTRY_FILE` in this process's folder, as standard input says. It is a
 * process of its own since @actions/cache cannot be stopped, takes paths from the process's folder and environment, keeps what
 * it has read in memory, and says what went wrong in its log only, which is standard output here.
 */
export async function serveTransfer(): Promise<void> {
  endWithParent();
  const transfer = transferSchema.parse(JSON.parse(await text(process.stdin)));
  // The client asks Node's own list only.
  const { authorities } = await trustedAuthorities((name) => process.env[name] || undefined);
  setDefaultCACertificates([...authorities]);
  const report = await perform(transfer).catch(
    (error: unknown): TransferReport => ({ thrown: error instanceof Error ? error.message : String(error) }),
  );
  process.stdout.write(`\n${JSON.stringify(report)}\n`, () => process.exit(0));
}
