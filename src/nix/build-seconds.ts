import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { mapParallel } from '../core/parallel.ts';
import { STORE } from '../definition/store-path.ts';

/** Where Nix keeps the logs of builds, unless NIX_LOG_DIR says otherwise. */
const LOG_FOLDER = '/nix/var/log/nix';

/** Nix packs logs (`compress-build-log`), or leaves them as they are. */
const ENDINGS = ['.bz2', ''];

const STATS = 16;

interface LogQuery {
  /** Milliseconds since 1970. A log that was begun before is of an earlier build: a rebuild keeps the file. */
  readonly since: number;
  readonly logFolder?: string | undefined;
}

/**
 * How many seconds each derivation took to build, by its log: Nix makes the file when a build begins and writes to it last
 * when it ends. Left out are those without a log, with one from before `since`, and on file systems that do not keep when a
 * file was made.
 */
export async function buildSeconds(
  drvPaths: readonly string[],
  { since, logFolder = LOG_FOLDER }: LogQuery,
): Promise<ReadonlyMap<string, number>> {
  const found = await mapParallel(drvPaths, STATS, async (drvPath) => {
    const seconds = await secondsOf(drvPath, since, logFolder);
    return seconds === undefined ? [] : [[drvPath, seconds] as const];
  });
  return new Map(found.flat());
}

async function secondsOf(drvPath: string, since: number, logFolder: string): Promise<number | undefined> {
  const name = drvPath.slice(STORE.length + 1);
  for (const ending of ENDINGS) {
    const file = join(logFolder, 'drvs', name.slice(0, 2), `${name.slice(2)}${ending}`);
    const times = await stat(file).catch(() => undefined);
    if (times === undefined) continue;
    const milliseconds = times.mtimeMs - times.birthtimeMs;
    // Where there is no birth time it is 0, or the time of the last change.
    return times.birthtimeMs < since || milliseconds <= 0 ? undefined : milliseconds / 1000;
  }
  return undefined;
}
