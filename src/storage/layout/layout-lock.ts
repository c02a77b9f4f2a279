import { randomBytes } from 'node:crypto';
import { open, readFile, readlink, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { systemClock } from '../../core/clock.ts';
import { tryDecodeJson } from '../../core/decode-json.ts';
import { UserError } from '../../core/error.ts';
import { isMissing, systemCode, withFileErrors } from '../../core/file-error.ts';
import type { Log } from '../../core/log.ts';
import { type Clock, sleep } from '../../core/retry.ts';

/** The file that whoever changes a layout's `index.json` holds meanwhile. */
export const LOCK_FILE = '.nix-images.lock';
/** Held by the one that removes a lock whose owner is dead, so that nobody removes the lock of the next owner. */
const BREAKING_FILE = '.nix-images.lock.stale';

/** Times in milliseconds. An index is changed in a few of them, so whoever waits longer than a second wants to know why. */
const POLL = 25;
const SAY_AFTER = 1000;
/** An owner of whom nothing can be known (another machine, another container) and who has not moved for so long is dead. */
const SILENT_AFTER = 60_000;
const GIVE_UP_AFTER = 300_000;

/** Who holds a lock. */
const ownerSchema = z.object({
  token: z.string(),
  pid: z.int().positive(),
  /** When the process began, as the kernel counts: ids are used again. */
  started: z.string(),
  host: z.string(),
  /** One boot of one machine, and one space of process ids in it: only there the id can be looked up. */
  machine: z.string(),
});

type Owner = z.infer<typeof ownerSchema>;

export interface LockTools {
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` while no other process, here or on another machine with the same disk, changes the layout in `folder`. The
 * lock of a process that died is removed. Throws UserError `file` when it cannot be had in five minutes, `cancelled`.
 */
export async function withLayoutLock<T>(folder: string, tools: LockTools, work: () => Promise<T>): Promise<T> {
  const path = join(folder, LOCK_FILE);
  const owner = await thisProcess();
  await acquire(path, folder, owner, tools);
  try {
    return await work();
  } finally {
    // What is not ours any more was taken for dead, and belongs to another.
    if ((await readOwner(path))?.token === owner.token) await rm(path, { force: true });
  }
}

async function acquire(path: string, folder: string, owner: Owner, tools: LockTools): Promise<void> {
  const { log, signal, clock = systemClock } = tools;
  const begin = clock.now();
  let seen: { readonly text: string | undefined; readonly since: number } | undefined;
  let isSaid = false;
  while (!(await create(path, owner))) {
    const text = await readText(path);
    const now = clock.now();
    if (seen === undefined || seen.text !== text) seen = { text, since: now };
    const holder = parseOwner(text);
    if (text !== undefined && (await isDead(holder, now - seen.since))) await removeStale(path, folder, text, log);
    else if (now - begin > GIVE_UP_AFTER) throw heldTooLong(path, holder);
    else {
      if (!isSaid && now - begin > SAY_AFTER) {
        log?.info(`waiting for ${ownerText(holder)}, which is writing to ${folder}`);
        isSaid = true;
      }
      // Not all at the same moment again.
      await sleep(clock, POLL * (1 + clock.random()), signal);
    }
  }
}

/** Creates a file that must not be there; false when it is. */
async function create(path: string, owner: Owner): Promise<boolean> {
  return withFileErrors(path, 'write', async () => {
    try {
      await using file = await open(path, 'wx', 0o644);
      await file.writeFile(JSON.stringify(owner));
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    }
  });
}

async function isDead(owner: Owner | undefined, silentFor: number): Promise<boolean> {
  const here = await thisProcess();
  if (owner !== undefined && owner.machine === here.machine) return (await processStart(owner.pid)) !== owner.started;
  return silentFor > SILENT_AFTER;
}

/** Removes the lock if it still is the one that was looked at: nobody but who holds the other file does. */
async function removeStale(path: string, folder: string, text: string, log: Log | undefined): Promise<void> {
  const breaking = join(folder, BREAKING_FILE);
  if (!(await create(breaking, await thisProcess()))) {
    // Left by a process that died in these few lines.
    if (await isDead(await readOwner(breaking), 0)) await rm(breaking, { force: true });
    return;
  }
  try {
    if ((await readText(path)) !== text) return;
    await rm(path, { force: true });
    log?.debug(`removed the lock of ${ownerText(parseOwner(text))}, which has ended`);
  } finally {
    await rm(breaking, { force: true });
  }
}

const heldTooLong = (path: string, owner: Owner | undefined): UserError =>
  new UserError('file', `${path} has been held by ${ownerText(owner)} for five minutes`, {
    hint: 'End that process. If there is none, remove the file.',
  });

const ownerText = (owner: Owner | undefined): string =>
  owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host}`;

const readText = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });

const readOwner = async (path: string): Promise<Owner | undefined> => parseOwner(await readText(path));

/** Undefined where its owner has not written it yet, or died before it did. */
const parseOwner = (text: string | undefined): Owner | undefined => tryDecodeJson(text ?? '', ownerSchema);

async function thisProcess(): Promise<Owner> {
  const boot = (await readText('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
  const space = await readlink('/proc/self/ns/pid').catch(() => '');
  return {
    token: randomBytes(8).toString('hex'),
    pid: process.pid,
    started: (await processStart(process.pid)) ?? '',
    host: hostname(),
    machine: `${hostname()} ${boot} ${space}`,
  };
}

/** Ticks from the machine's start to the process's (proc_pid_stat(5), field 22); undefined for one that has ended. */
export async function processStart(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return undefined;
  }
  const stat = await readText(`/proc/${pid}/stat`).catch(() => undefined);
  // Without /proc, being there must do.
  if (stat === undefined) return '';
  // The name before them, in parentheses, may hold anything.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : fields[18];
}
