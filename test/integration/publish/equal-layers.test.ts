import { test } from 'vitest';
import { expectEqualLayers, prepareEqualLayers } from './equal-layers.ts';

// Eight builds and publishes of one graph, another in each run; equal-layers.full.test.ts has more.
prepareEqualLayers();

test('layers of one key have one content: cold, reused, made again, in each codec', { timeout: 240_000 }, () =>
  expectEqualLayers(1),
);
