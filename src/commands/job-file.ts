import { appendFileSync, closeSync, constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';

/** Of the job, in its own temporary folder: steps that build write there, the one that saves what was built reads it. */
const FOLDER = 'nix-images-builds';

/** Bytes that are read: of 50,000 lines with a store path each. */
const LIMIT = 8_000_000;

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;

function folderOf({ env }: Pick<Host, 'env'>): string | undefined {
  const parent = env('RUNNER_TEMP');
  return parent === undefined ? undefined : join(parent, FOLDER);
}

/**
 * Adds to a private file of the job, at once, so that it is there whatever becomes of the step; outside of a job does nothing. What cannot
 * be written is lost: it is about the cache alone.
 */
export function appendToJob(host: Pick<Host, 'env'>, name: string, text: string): void {
  const folder = folderOf(host);
  if (folder === undefined) return;
  try {
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    const descriptor = openSync(join(folder, name), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      appendFileSync(descriptor, text);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    // The disk is full, or somebody else has the folder.
  }
}

/** What the job's steps have added to a file so far; empty outside of a job. Never throws. */
export async function readOfJob(host: Pick<Host, 'env'>, name: string): Promise<string> {
  const folder = folderOf(host);
  if (folder === undefined) return '';
  try {
    await using handle = await open(join(folder, name), O_RDONLY | O_NOFOLLOW);
    const { size } = await handle.stat();
    return size > LIMIT ? '' : await handle.readFile('utf8');
  } catch {
    return '';
  }
}
