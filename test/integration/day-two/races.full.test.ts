import { test } from 'vitest';
import { expectRight } from './race.ts';

test(
  '200 interleavings of publishes, promotions, rollbacks, retention and previews end right',
  {
    timeout: 900_000,
  },
  () => expectRight(1, 200),
);
