import { isRefused } from '../aws/refusal.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { sleep } from '../core/retry.ts';
import type { JournalEntry } from './journal.ts';
import type { Left, UndoTools } from './left.ts';
import { type UndoScope, undoScopeOf } from './scope.ts';
import { SETTLING } from './settle.ts';
import { REGIONS_AT_ONCE } from './survey.ts';
import { RegionSweep } from './sweep.ts';

/** Milliseconds that taking back may take in a region: snapshots stay in use for minutes after their AMI (boto/boto3 3019). */
const LONGEST = 600_000;

/** Milliseconds between sweeps: the first comes soon, for most is gone at once. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 60_000;

const ENDED = ['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'AuthFailure'];

/**
 * Takes back what a run has made and nobody has been shown, in every region at once: AMIs, copies that are under way, snapshots, uploads,
 * pointers, permissions. Found by tags and by the journal, so that an answer that was lost is no AMI that is forgotten. A region that
 * fails does not keep the others. Gives what is left.
 */
export async function undo(scope: UndoScope, tools: UndoTools): Promise<Left[]> {
  tools.cloud.renew();
  const left = await mapParallel(scope.regions, REGIONS_AT_ONCE, (region) => undoRegion(region, scope, tools));
  return left.flat();
}

async function undoRegion(region: string, scope: UndoScope, tools: UndoTools): Promise<Left[]> {
  const { clock, cloud } = tools;
  const sweep = new RegionSweep(region, scope, tools);
  const start = clock.now();
  // What was sent and not answered becomes visible late.
  const earliest = scope.unanswered.has(region) ? start + SETTLING : start;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    let why = '';
    try {
      if ((await sweep.sweep(clock.now() - start)) && clock.now() >= earliest) return [];
    } catch (error) {
      if (isRefused(error, ...ENDED)) cloud.renew();
      why = error instanceof Error ? error.message : String(error);
    }
    if (clock.now() - start + pause > LONGEST) return sweep.left(why);
    await sleep(clock, pause);
  }
}

/**
 * Takes back what the run of a journal has made, from another run. Throws UserError `input` where all of it was published, and where the journal is
 * of another account, in which nothing of it would be found.
 */
export async function undoJournal(entries: readonly JournalEntry[], tools: UndoTools): Promise<Left[]> {
  if (entries.some(isPublished))
    throw new UserError('input', 'the deployment of this journal was published', {
      hint: 'Run the deployment again to end it, or remove what it made by prune.',
    });
  const scope = undoScopeOf(entries);
  const [region] = scope.regions;
  if (region === undefined) return [];
  const { account } = await tools.cloud.identity(region);
  if (account !== scope.account)
    throw new UserError(
      'input',
      `the journal is of account ${scope.account}, and these credentials are of ${account}`,
      {
        hint: `Log in to ${scope.account}.`,
      },
    );
  return await undo(scope, tools);
}

/** Tags come when everything that must be is public: taking back what has none yet would leave half of it. */
const isPublished = (entry: JournalEntry): boolean =>
  (entry.event === 'before' && entry.kind === 'tag') ||
  // AMIs that were there have their tag.
  (entry.event === 'end' && (entry.outcome === 'published' || entry.outcome === 'unfinished'));
