import { test } from 'vitest';
import { expectForward, REGISTRIES } from './race.ts';

// Each interleaving is some dozen requests over a socket: a tenth of a second. All 200 are in races.full.test.ts.
test.each(
  REGISTRIES,
)('promotions and publishes at once only move a channel forward, at a registry %s', async (_name, pages, stale, rounds) =>
  expectForward(1000, rounds / 8, pages, stale));
