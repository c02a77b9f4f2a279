import { expect, test } from 'vitest';
import { nearestNames } from '../../../src/core/nearest.ts';

test.each([
  ['pyhton', ['python', 'ruby', 'app'], ['python']],
  ['Python', ['python'], ['python']],
  ['web-server', ['webserver', 'web-servers', 'x'], ['webserver', 'web-servers']],
  ['pub', ['publish', 'build'], ['publish']],
  ['zzz', ['app'], []],
])('%s of %j', (wrong, names, nearest) => {
  expect(nearestNames(wrong, names)).toEqual(nearest);
});
