import { expect, it } from 'vitest';
import { fixedTags } from '../../../src/aws/fixed-tags.ts';

const filters = (...names: string[]) => ({ imageTagMutabilityExclusionFilters: names.map((filter) => ({ filter })) });

it.each([
  ['MUTABLE', {}, 'v1', false],
  [undefined, {}, 'v1', false],
  ['IMMUTABLE', {}, 'v1', true],
  // Filters of another time count for nothing.
  ['IMMUTABLE', filters('v*'), 'v1', true],
  ['IMMUTABLE_WITH_EXCLUSION', filters('latest', 'main*'), 'latest', false],
  ['IMMUTABLE_WITH_EXCLUSION', filters('latest', 'main*'), 'main-7', false],
  ['IMMUTABLE_WITH_EXCLUSION', filters('latest', 'main*'), 'v1', true],
  ['IMMUTABLE_WITH_EXCLUSION', filters('latest'), 'latest-1', true],
  ['IMMUTABLE_WITH_EXCLUSION', filters('v1.0'), 'v1x0', true],
  ['IMMUTABLE_WITH_EXCLUSION', filters('*-rc*'), 'v1-rc2', false],
  ['MUTABLE_WITH_EXCLUSION', filters('v*'), 'v1', true],
  ['MUTABLE_WITH_EXCLUSION', filters('v*'), 'main', false],
])('%s %j: %s is fixed: %s', (imageTagMutability, more, tag, expected) => {
  expect(fixedTags({ imageTagMutability, ...more }).isFixed(tag)).toBe(expected);
});
