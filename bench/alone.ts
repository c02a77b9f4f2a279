import { destinationsText, measureDestinations, missedDestinations } from './destinations.ts';
import { measureDisks } from './disk/measure.ts';
import { ebsText, measureEbs, missedEbs } from './ebs/measure.ts';
import { fleetText, measureFleet, missedFleet } from './fleet/measure.ts';
import { measureLoad } from './load/measure.ts';
import { loadText, missedLoad } from './load/result.ts';
import type { AloneName, Options } from './options.ts';
import { measurePull } from './pull/measure.ts';
import { missedPull, pullText } from './pull/result.ts';
import { measureServe, missedServe, serveText } from './serve/measure.ts';
import { measureThreads } from './threads/measure.ts';
import { missedThreads, threadsText } from './threads/result.ts';

interface World {
  /** Folder of the benchmark. */
  readonly work: string;
  readonly log: (line: string) => void;
  /** Takes what was found as soon as it is there. */
  readonly show: (text: string) => void;
}

/** Measures, shows what was found, and gives whether all that is promised was reached. */
type Alone = (options: Options, world: World) => Promise<boolean>;

/** A measurement whose result is one text. */
const alone =
  <T>(
    measure: (options: Options, work: string, log: World['log']) => Promise<T>,
    textOf: (found: T) => string,
    missed: (found: T) => readonly string[],
  ): Alone =>
  async (options, { work, log, show }) => {
    const found = await measure(options, work, log);
    show(textOf(found));
    return missed(found).length === 0;
  };

/** What is measured alone, by the option that asks for it. */
export const ALONE: Readonly<Record<AloneName, Alone>> = {
  destinations: alone(measureDestinations, destinationsText, missedDestinations),
  disk: (options, { work, ...said }) => measureDisks(options, work, said),
  ebs: alone(measureEbs, ebsText, missedEbs),
  fleet: alone(measureFleet, fleetText, missedFleet),
  load: alone(measureLoad, loadText, missedLoad),
  pull: alone(measurePull, pullText, missedPull),
  serve: alone(measureServe, serveText, missedServe),
  threads: alone(measureThreads, threadsText, missedThreads),
};
