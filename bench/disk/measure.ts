import { openWork } from '../begin.ts';
import type { Options } from '../options.ts';
import { assembleRelease } from '../release.ts';
import { changesText, measureChanges, missedChanges } from './changes.ts';
import { commandsText, measureCommands, missedCommands } from './commands.ts';
import { makingText, measureMaking, missedMaking } from './making.ts';
import { measureReading, missedReading, readingText } from './reading.ts';
import type { DiskRow } from './rows.ts';
import { diskVersions, VERSIONS } from './versions.ts';

/** What a part says, and whether it is all that is promised. */
interface Part {
  readonly text: string;
  readonly missed: readonly string[];
}

/** Measures the parts of `--disk` that are asked for, one after another, and shows each when it is there. Gives whether all was reached. */
export async function measureDisks(
  { fixture, runs, rows }: Pick<Options, 'fixture' | 'runs' | 'rows'>,
  work: string,
  { log, show }: { readonly log: (line: string) => void; readonly show: (text: string) => void },
): Promise<boolean> {
  await openWork(work);
  const has = (row: DiskRow): boolean => rows.includes(row);
  const compares = has('changes') || has('chunks');
  const [base, ...others] = await diskVersions(compares ? VERSIONS : ['base'], fixture, work, log);
  if (!base) throw new Error('no versions');
  if (has('reading') || has('commands')) await assembleRelease();
  const inFolder = { runs, work, log };
  const parts: readonly (false | (() => Promise<Part>))[] = [
    compares &&
      (async () => {
        const found = await measureChanges({ base, others, chunks: has('chunks') }, work, log);
        return { text: changesText(found), missed: missedChanges(found) };
      }),
    has('making') &&
      (async () => {
        const found = await measureMaking(base, inFolder);
        return { text: makingText(found), missed: missedMaking(found) };
      }),
    has('reading') &&
      (async () => {
        const found = await measureReading(base, inFolder);
        return { text: readingText(found), missed: missedReading(found) };
      }),
    has('commands') &&
      (async () => {
        const found = await measureCommands(fixture, inFolder);
        return { text: commandsText(found), missed: missedCommands(found) };
      }),
  ];
  let isReached = true;
  for (const part of parts) {
    if (part === false) continue;
    const { text, missed } = await part();
    show(`${text}\n`);
    if (missed.length > 0) isReached = false;
  }
  return isReached;
}
