import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { SHARING_FIELDS } from './sharing.ts';
import { stepKindSchema } from './step.ts';

/**
 * What a run has done to AWS, written before and after each effect: enough to take it back from another run, on another machine. One JSON
 * object a line, so that what a killed process left can be read up to its last whole line.
 */

const VERSION = 1;

/** Lines of a journal: a plan has some dozens of steps in each of some dozens of regions. */
const MOST_LINES = 1_000_000;

const sharingSchema = z.strictObject(SHARING_FIELDS);

const stepFields = {
  time: z.number(),
  step: z.string(),
  kind: stepKindSchema,
  region: z.string(),
  content: z.string(),
};

/** What a step made or changed. */
const effectSchema = z.discriminatedUnion('made', [
  z.strictObject({ made: z.literal('image'), id: z.string(), isAdopted: z.boolean() }),
  z.strictObject({ made: z.literal('snapshot'), id: z.string(), isAdopted: z.boolean() }),
  z.strictObject({ made: z.literal('image-sharing'), id: z.string(), added: sharingSchema }),
  z.strictObject({ made: z.literal('snapshot-sharing'), id: z.string(), added: sharingSchema }),
  z.strictObject({
    made: z.literal('parameter'),
    name: z.string(),
    id: z.string(),
    before: z.string().nullable(),
  }),
]);

export type StepEffect = z.output<typeof effectSchema>;

const entrySchema = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('begin'),
    version: z.literal(VERSION),
    time: z.number(),
    run: z.string(),
    account: z.string(),
    regions: z.array(z.string()),
    /** How disks were uploaded: what an upload by way of S3 leaves is found by the bucket alone. */
    upload: z.enum(['ebs-direct', 's3']),
    places: z.array(
      z.strictObject({
        region: z.string(),
        content: z.string(),
        disk: z.string(),
        isLive: z.boolean(),
        parameters: z.array(z.string()),
      }),
    ),
  }),
  /** Something is about to be sent; `planned` where it is known what it changes. */
  z.strictObject({ event: z.literal('before'), ...stepFields, planned: effectSchema.optional() }),
  z.strictObject({ event: z.literal('after'), ...stepFields, effect: effectSchema.optional() }),
  /** `isAnswered`: AWS said no, so nothing came of it that could become visible later. */
  z.strictObject({ event: z.literal('failed'), ...stepFields, error: z.string(), isAnswered: z.boolean() }),
  z.strictObject({ event: z.literal('undo'), time: z.number(), region: z.string(), what: z.string() }),
  /** What `undo` was written of before, and was not there: an earlier run has taken it back. */
  z.strictObject({ event: z.literal('gone'), time: z.number(), region: z.string(), what: z.string() }),
  z.strictObject({
    event: z.literal('end'),
    time: z.number(),
    outcome: z.enum(['published', 'unfinished', 'undone', 'left']),
  }),
]);

export type JournalEntry = z.output<typeof entrySchema>;

/** As it is given, before it gets its time. */
type WithoutTime<T> = T extends unknown ? Omit<T, 'time'> : never;

/** Takes entries one after the other; each is stored when `write` has ended. */
export class DeployJournal {
  readonly entries: JournalEntry[] = [];
  readonly #store: (line: string) => Promise<void>;
  readonly #now: () => number;
  #last: Promise<void> = Promise.resolve();

  constructor(store: (line: string) => Promise<void>, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Resolves when the entry is stored: before that nothing may be done that it tells of. */
  async write(entry: WithoutTime<JournalEntry>): Promise<void> {
    const timed = { ...entry, time: this.#now() } as JournalEntry;
    this.entries.push(timed);
    const stored = this.#last.then(() => this.#store(`${JSON.stringify(timed)}\n`));
    // A line that could not be stored is the caller's failure, and not that of the next line.
    this.#last = stored.catch(() => undefined);
    await stored;
  }
}

/** Reads what runs have written. Only the last line may be cut. Throws UserError `input` for anything else that is not a journal. */
export function readJournal(text: string): JournalEntry[] {
  const lines = text.split('\n');
  const whole = lines.slice(0, -1).filter((line) => line !== '');
  if (whole.length > MOST_LINES)
    throw new UserError('input', `the journal has more than ${MOST_LINES} lines`, { hint: 'Give one journal alone.' });
  const entries = whole.map((line, at) =>
    decodeJson(line, entrySchema, {
      code: 'input',
      what: `line ${at + 1} of the journal`,
      hint: 'Give the journal that a deployment has left, as it is.',
    }),
  );
  if (entries[0]?.event === 'begin') return entries;
  throw new UserError('input', 'the journal does not begin with the start of a deployment', {
    hint: 'Give the journal that a deployment has left, as it is.',
  });
}
