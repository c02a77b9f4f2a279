import { test } from 'vitest';
import { expectEqualLayers, prepareEqualLayers } from './equal-layers.ts';

prepareEqualLayers();

test('ten graphs: layers of one key have one content', { timeout: 900_000 }, () => expectEqualLayers(10));
