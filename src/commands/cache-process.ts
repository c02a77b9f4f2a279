import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { SUBSTITUTER_FILES } from '../cache/substituter/run-substituter.ts';
import { type ServedStatistics, servedSchema } from '../cache/substituter/statistics.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { endDetached, startDetached } from '../host/detached.ts';

/** Who serves, for the step that ends it. */
const PROCESS_FILE = 'process.json';

const LOG_FILE = 'log';

const processSchema = z.object({ pid: z.int().positive(), started: z.string() });

/** Milliseconds until it answers; most of it is Node's start. */
const PATIENCE = 60_000;
const LOOK_EVERY = 20;

interface CacheProcessOptions {
  readonly program: URL;
  /** Words of the command line that serves a cache, with `folder` as its `--state`. */
  readonly args: readonly string[];
  /** Variables beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Of this process alone: everything about it is kept there. Made if it is not there. */
  readonly folder: string;
}

/**
 * Starts a substituter that lives on when this process has ended, and waits until it answers. Gives the file with its settings
 * for Nix. Throws UserError `file` with the end of its log when it does not come up.
 */
export async function startCacheProcess({ program, args, env, folder }: CacheProcessOptions): Promise<string> {
  await withFileErrors(folder, 'write', () => mkdir(folder, { recursive: true, mode: 0o700 }));
  const settings = join(folder, SUBSTITUTER_FILES.settings);
  const logFile = join(folder, LOG_FILE);
  // Its packs too: where it is killed, they go with the folder.
  const { pid, started, ended } = await startDetached({ program, args, env: { ...env, TMPDIR: folder }, logFile });
  const file = join(folder, PROCESS_FILE);
  await withFileErrors(file, 'write', () => writeFile(file, JSON.stringify({ pid, started }), { mode: 0o600 }));
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  for (let waited = 0; waited < PATIENCE && !hasEnded; waited += LOOK_EVERY) {
    if (await isThere(settings)) return settings;
    await setTimeout(LOOK_EVERY);
  }
  await endDetached({ pid, started });
  const said = await readFile(logFile, 'utf8').catch(() => '');
  throw new UserError('file', `the cache cannot be served: ${said.trim().split('\n').slice(-5).join('\n')}`);
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** What became of a substituter that was started by another step. */
export interface EndedCache {
  /** Whether it served until now. */
  readonly wasThere: boolean;
  /** What it did; undefined where it left nothing to read. */
  readonly statistics: ServedStatistics | undefined;
  /** Paths of the cache that were asked for. */
  readonly wanted: readonly string[];
}

/** Ends the substituter of a folder: first its settings, so that no Nix asks for it any more, then the process. Never throws. */
export async function endCacheProcess(folder: string): Promise<EndedCache> {
  await rm(join(folder, SUBSTITUTER_FILES.settings), { force: true }).catch(() => undefined);
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8').catch(() => '');
  const found = tryDecodeJson(await read(PROCESS_FILE), processSchema);
  const end = found === undefined ? 'gone' : await endDetached(found);
  const statistics = tryDecodeJson(await read(SUBSTITUTER_FILES.statistics), servedSchema);
  const wanted = (await read(SUBSTITUTER_FILES.wanted)).split('\n').filter((path) => path !== '');
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  return { wasThere: end !== 'gone', statistics, wanted };
}
