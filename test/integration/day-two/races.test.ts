import { test } from 'vitest';
import { expectRight } from './race.ts';

// Each interleaving is some hundred requests over a socket, half of them for what is there before. All 200 are in races.full.test.ts.
test('publishes, promotions, rollbacks, retention and previews at once end right', () => expectRight(1000, 8));
