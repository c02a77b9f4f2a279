import { type ChannelState, compareRecords, type RecordedPromotion } from '../channel/record.ts';
import type { Prunable } from './prunable.ts';

/** Where records lead back: along what the channel meant before, and along what rollbacks lead to, which after one differ. */
const WAYS = ['previous', 'below'] as const;

/** Of several records of an image the newest counts. */
const newest = (records: readonly RecordedPromotion[]): RecordedPromotion | undefined =>
  records.toSorted(compareRecords).at(-1);

/**
 * What channels need to be rolled back: of each name that `stays`, the images that it meant before what it means now, at most `steps` of them,
 * with the name. Where a record is gone, nothing further back is known.
 */
export function historyOfChannels(
  items: readonly Prunable[],
  steps: number,
  stays: (item: Prunable, name: string) => boolean,
): ReadonlyMap<string, string> {
  const needed = new Map<string, string>();
  const recorded = items.filter(({ promotion }) => promotion !== undefined);
  if (steps === 0 || recorded.length === 0) return needed;
  const byId = new Map(recorded.map((item) => [item.id, item.promotion]));
  const bySubject = Map.groupBy(byId.values(), (record) => record?.digest);
  const recordAt = ({ record, digest }: ChannelState, channel: string): RecordedPromotion | undefined => {
    const found = record === undefined ? undefined : byId.get(record);
    return found?.digest === digest && found.channel === channel ? found : undefined;
  };
  for (const item of items) {
    const records = (bySubject.get(item.id as RecordedPromotion['digest']) ?? []).filter((one) => one !== undefined);
    for (const channel of item.names) {
      const head = newest(records.filter((record) => record.channel === channel));
      if (head === undefined || !stays(item, channel)) continue;
      for (const way of WAYS) {
        let state = head[way];
        for (let step = 0; step < steps && state !== undefined; step += 1) {
          needed.set(state.digest, channel);
          state = recordAt(state, channel)?.[way];
        }
      }
    }
  }
  return needed;
}
