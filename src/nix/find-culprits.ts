import { tryDecodeJson } from '../core/decode-json.ts';
import { mapParallel } from '../core/parallel.ts';
import { type Entry, type Place, placeSchema } from './discovery-expression.ts';
import { nixMessage } from './failure.ts';

/** Evaluations at once: each takes a core and, with nixpkgs, several hundred megabytes. */
export const AT_ONCE = 4;

/** Places in one evaluation at most: they stand in its arguments, which are limited to 128 KiB. */
const PLACES_AT_ONCE = 250;

/** A place that could not be evaluated, with nix's own words. */
export interface Broken {
  readonly kind: 'broken';
  readonly path: readonly string[];
  readonly system: string | null;
  readonly message: string;
  /** Whether it bears the marks of an image, or is where only images are. */
  readonly image: boolean;
}

/** @internal How an evaluation of some places ended; `marks` are the lines in which it told how far it was. */
export type Ending =
  | { readonly ok: true; readonly entries: readonly Entry[] }
  | { readonly ok: false; readonly stderr: string; readonly marks: readonly string[] };

export type EvaluatePlaces = (places: readonly Place[]) => Promise<Ending>;

interface Progress {
  /** In the order in which they were looked at: the last one is where the evaluation ended. */
  readonly entered: ReadonlyMap<string, Place>;
  readonly images: ReadonlySet<string>;
  readonly sets: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, Place>;
}

const keyOf = ({ path, system }: Place): string => JSON.stringify([system, ...path]);

function readMark(mark: string): readonly [string, Place] | undefined {
  const [, event = '', json = ''] = /^ ?([a-z]+) (\{.*\})$/.exec(mark) ?? [];
  const place = tryDecodeJson(json, placeSchema);
  return place && [event, place];
}

function progressOf(marks: readonly string[]): Progress {
  const read = marks.map(readMark).filter((mark) => mark !== undefined);
  const of = (wanted: string): Place[] => read.filter(([event]) => event === wanted).map(([, place]) => place);
  const byKey = (places: readonly Place[]) => new Map(places.map((place) => [keyOf(place), place]));
  return {
    entered: byKey(of('enter')),
    images: new Set(of('image').map(keyOf)),
    sets: new Set(of('set').map(keyOf)),
    children: byKey(of('child')),
  };
}

/** Equal parts, no more than may run at once unless they would be too long. */
function parts(places: readonly Place[]): (readonly Place[])[] {
  const size = Math.max(1, Math.min(Math.ceil(places.length / AT_ONCE), PLACES_AT_ONCE));
  return Array.from({ length: Math.ceil(places.length / size) }, (_, at) => places.slice(at * size, (at + 1) * size));
}

/** What one evaluation taught: what it found, or where it died, what it had been through, and what it did not reach. */
interface Step {
  readonly found: readonly (Entry | Broken)[];
  readonly good: readonly Place[];
  readonly pending: readonly Place[];
}

async function step(
  places: readonly Place[],
  evaluate: EvaluatePlaces,
  failed: (stderr: string) => Error,
): Promise<Step> {
  const ending = await evaluate(places);
  if (ending.ok) return { found: ending.entries, good: [], pending: [] };
  const { entered, images, sets, children } = progressOf(ending.marks);
  const culprit = [...entered.values()].at(-1);
  if (culprit === undefined) throw failed(ending.stderr);
  const isImage = images.has(keyOf(culprit));
  const known = new Map([...places.map((place) => [keyOf(place), place] as const), ...children]);
  return {
    found: [{ ...culprit, kind: 'broken', message: nixMessage(ending.stderr), image: isImage }],
    good: [...entered].filter(([key]) => key !== keyOf(culprit) && !sets.has(key)).map(([, place]) => place),
    pending: [...known].filter(([key]) => !entered.has(key)).map(([, place]) => place),
  };
}

/**
 * Everything at and below `places`, where evaluating all at once ends with an error that cannot be caught. Each evaluation
 * that dies says where, so there is one for each culprit, and a few more; several run at once. What they had been
 * through before is evaluated again at the end, for what they found died with them. Throws what `failed` makes of Nix's
 * words where an evaluation dies before it comes to any place.
 */
export async function exploreAround(
  places: readonly Place[],
  evaluate: EvaluatePlaces,
  failed: (stderr: string) => Error,
): Promise<(Entry | Broken)[]> {
  const found: (Entry | Broken)[] = [];
  let good: Place[] = [];
  let batches: (readonly Place[])[] = [places];
  while (batches.length > 0) {
    const steps = await mapParallel(batches, AT_ONCE, (batch) => step(batch, evaluate, failed));
    found.push(...steps.flatMap((one) => one.found));
    good.push(...steps.flatMap((one) => one.good));
    // Once there are several, what is left of each goes on by itself: parting it again would cost calls.
    batches = batches.length === 1 ? parts(steps.flatMap((one) => one.pending)) : steps.map((one) => one.pending);
    batches = batches.filter((batch) => batch.length > 0);
    if (batches.length > 0) continue;
    batches = parts(good);
    good = [];
  }
  return found;
}
