import { appendFileSync, closeSync, constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Host } from '../host/host.ts';
import { type BuildStarts, keptStart, parseStarts } from '../nix/build-starts.ts';

/** Of the job, in its own temporary folder: steps that build write it, the one that saves what was built reads it. */
const FILE = 'nix-images-builds/starts';

/** Bytes that are read: of 50,000 builds. */
const LIMIT = 8_000_000;

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;

function fileOf({ env }: Pick<Host, 'env'>): string | undefined {
  const folder = env('RUNNER_TEMP');
  return folder === undefined ? undefined : join(folder, FILE);
}

/** Keeps when builds begin, in a job of GitHub's; elsewhere nothing. What cannot be kept is lost: it is a measurement. */
export function keepBuildStarts(host: Pick<Host, 'env'>): ((drvPath: string) => void) | undefined {
  const file = fileOf(host);
  if (file === undefined) return undefined;
  return (drvPath) => {
    try {
      const parent = dirname(file);
      if (!existsSync(parent)) mkdirSync(parent, { mode: 0o700 });
      const descriptor = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
      try {
        appendFileSync(descriptor, keptStart(drvPath, Date.now()));
      } finally {
        closeSync(descriptor);
      }
    } catch {
      // The build's log says how long it took, or nobody does.
    }
  };
}

/** When the builds of this job began, as far as this project's commands ran them. Never throws. */
export async function readBuildStarts(host: Pick<Host, 'env'>): Promise<BuildStarts> {
  const file = fileOf(host);
  if (file === undefined) return new Map();
  try {
    await using handle = await open(file, O_RDONLY | O_NOFOLLOW);
    const { size } = await handle.stat();
    if (size > LIMIT) return new Map();
    return parseStarts(await handle.readFile('utf8'));
  } catch {
    return new Map();
  }
}
