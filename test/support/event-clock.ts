import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../../src/core/retry.ts';

/**
 * A clock that goes on only while no request is under way, to the next time that somebody waits for: what is timed comes out
 * the same however slow the machine is. `fetch` is counted; whatever else waits for the world must be quick.
 */
export function eventClock(): { readonly clock: Clock; readonly fetch: typeof fetch } {
  let now = 1_790_000_000_000;
  let underWay = 0;
  let isRunning = false;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    while (sleepers.length > 0) {
      await wait(1);
      if (underWay > 0) continue;
      sleepers.sort((a, b) => a.at - b.at);
      const next = sleepers.shift();
      now = Math.max(now, next?.at ?? now);
      next?.wake();
    }
    isRunning = false;
  };
  return {
    clock: {
      now: () => now,
      random: () => 0.5,
      sleep: (ms) =>
        new Promise((wake) => {
          sleepers.push({ at: now + ms, wake });
          void run();
        }),
    },
    fetch: async (...request) => {
      underWay += 1;
      try {
        return await fetch(...request);
      } finally {
        underWay -= 1;
      }
    },
  };
}
