import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapParallel } from '../core/parallel.ts';
import { STORE } from '../definition/store-path.ts';
import type { BuildStarts } from './build-starts.ts';

/** Where Nix keeps the logs of builds, unless NIX_LOG_DIR says otherwise. */
const LOG_FOLDER = '/nix/var/log/nix';

/** Nix packs logs (`compress-build-log`), or leaves them as they are. */
const ENDINGS = ['.bz2', ''];

const STATS = 16;

interface LogQuery {
  /** Milliseconds since 1970. A log that was begun before is of an earlier build: a rebuild keeps the file. */
  readonly since: number;
  /** When builds began, where that is known. */
  readonly starts?: BuildStarts | undefined;
  readonly logFolder?: string | undefined;
}

/**
 * How many seconds each derivation took to build, by its log: Nix makes the file when a build begins and writes to it last
 * when it ends. A rebuild keeps the file and when it was made, so a build that began after that counts from where `starts` has it. Left
 * out are those without a log, with one from before `since` only, and on file systems that do not keep when a file was made.
 */
export async function buildSeconds(drvPaths: readonly string[], query: LogQuery): Promise<ReadonlyMap<string, number>> {
  const found = await mapParallel(drvPaths, STATS, async (drvPath) => {
    const seconds = await secondsOf(drvPath, query);
    return seconds === undefined ? [] : [[drvPath, seconds] as const];
  });
  return new Map(found.flat());
}

async function secondsOf(
  drvPath: string,
  { since, starts, logFolder = LOG_FOLDER }: LogQuery,
): Promise<number | undefined> {
  const name = drvPath.slice(STORE.length + 1);
  for (const ending of ENDINGS) {
    const file = join(logFolder, 'drvs', name.slice(0, 2), `${name.slice(2)}${ending}`);
    const times = await stat(file).catch(() => undefined);
    if (times === undefined) continue;
    // Where there is no birth time it is 0, or the time of the last change.
    const { mtimeMs, birthtimeMs } = times;
    const isOfThis = birthtimeMs >= since && birthtimeMs < mtimeMs;
    const begun = Math.max(isOfThis ? birthtimeMs : 0, starts?.get(drvPath) ?? 0);
    return begun === 0 || mtimeMs <= begun ? undefined : (mtimeMs - begun) / 1000;
  }
  return undefined;
}
