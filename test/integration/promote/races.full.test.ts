import { test } from 'vitest';
import { expectForward, REGISTRIES } from './race.ts';

test.each(
  REGISTRIES,
)('200 interleavings of promotions and publishes only move a channel forward, at a registry %s', async (_name, pages, stale, rounds) =>
  expectForward(1, rounds, pages, stale));
