import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../../core/effects.ts';
import { withFileErrors } from '../../core/file-error.ts';
import { createSigningKey } from '../../nix/signing-key.ts';
import { substituterLines } from '../../nix/substituter-settings.ts';
import type { CacheIndex } from '../cache-index.ts';
import type { CacheStore } from '../store.ts';
import { PackFiles, type Prefetch } from './pack-files.ts';
import { ServedIndex } from './served-index.ts';
import { serveCache } from './server.ts';
import { keepWritten, type ServedStatistics, Statistics } from './statistics.ts';

/** Files in the folder of a substituter that others read. */
export const SUBSTITUTER_FILES = { settings: 'nix.conf', statistics: 'statistics.json', wanted: 'wanted' } as const;

/** How the key of a run is called in `Sig` and in `trusted-public-keys`. */
const KEY_NAME = 'nix-images-cache-1';

/** Milliseconds between two looks at the limits. */
const LOOK_EVERY = 1000;

/** When a substituter ends by itself, both in milliseconds. */
interface SubstituterLimits {
  /** Without a request. */
  readonly idle: number;
  readonly life: number;
}

interface SubstituterOptions {
  readonly index: CacheIndex;
  readonly store: Pick<CacheStore, 'name' | 'restore' | 'prepare'>;
  /** Its own: settings, statistics, and packs while they are needed. Made if it is not there. */
  readonly folder: string;
  readonly secret: string;
  readonly port: number;
  readonly limits: SubstituterLimits;
  readonly prefetch: Prefetch;
  /** Called with the URL when it answers and the settings are written. */
  readonly onReady: (url: string) => Promise<void>;
}

/** @internal Why a substituter ended, and what it did. */
export interface SubstituterEnd {
  readonly why: 'stopped' | 'idle' | 'old';
  readonly statistics: ServedStatistics;
}

/**
 * Serves a cache to the Nix of this machine until `signal` fires or a limit is reached. The settings are ended before the
 * server is: a Nix that starts in between does not know of it. Throws UserError `file` and `input` when it cannot begin.
 */
export async function runSubstituter(
  options: SubstituterOptions,
  { log, signal }: Pick<Effects, 'log' | 'signal'>,
): Promise<SubstituterEnd> {
  const { index, store, folder, secret, port, limits, prefetch } = options;
  log.mask(secret);
  const packFolder = join(folder, 'packs');
  await withFileErrors(packFolder, 'write', () => mkdir(packFolder, { recursive: true, mode: 0o700 }));
  const key = createSigningKey(KEY_NAME);
  const statistics = new Statistics();
  const packs = new PackFiles(index.packs, { store, folder: packFolder, log, statistics, prefetch });
  const server = await serveCache({ index: new ServedIndex(index, key), packs, statistics, log, secret, port });
  const settings = join(folder, SUBSTITUTER_FILES.settings);
  const written = keepWritten(statistics, join(folder, SUBSTITUTER_FILES.statistics), log);
  try {
    // A port that is any free one makes a new URL each time.
    const lines = substituterLines(server.url, { ...key, mayBeKnown: port !== 0 });
    await writeWhole(settings, `${lines.join('\n')}\n`);
    await options.onReady(server.url);
    const why = await untilEnd(limits, server.lastAsked, signal);
    return { why, statistics: statistics.sum() };
  } finally {
    await rm(settings, { force: true });
    await server.close();
    await written.close();
    await writeFile(join(folder, SUBSTITUTER_FILES.wanted), statistics.wanted().join('\n')).catch(() => undefined);
    await rm(packFolder, { recursive: true, force: true });
  }
}

/** Nix may read it at any moment, so it is there whole or not at all. Only this user may: it has the secret. */
const writeWhole = (file: string, text: string): Promise<void> =>
  withFileErrors(file, 'write', async () => {
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  });

function untilEnd(
  { idle, life }: SubstituterLimits,
  lastAsked: () => number,
  signal: AbortSignal,
): Promise<SubstituterEnd['why']> {
  const begin = performance.now();
  return new Promise((resolve) => {
    const end = (why: SubstituterEnd['why']): void => {
      clearInterval(timer);
      signal.removeEventListener('abort', stop);
      resolve(why);
    };
    const stop = (): void => end('stopped');
    const timer = setInterval(() => {
      const now = performance.now();
      if (now - begin >= life) end('old');
      else if (now - lastAsked() >= idle) end('idle');
    }, LOOK_EVERY);
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
  });
}
