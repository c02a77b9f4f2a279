import { expect, test } from 'vitest';
import { readRunImages } from '../../../src/preview/published.ts';

test('images and disks of a run are told apart by the plan, and what was published alone is there too', () => {
  const planned = JSON.stringify([
    { name: 'vm', kind: 'disk' },
    { name: 'app', kind: 'definition' },
  ]);
  const references = { references: ['docker://ghcr.io/org/vm:pr-7'], digestReferences: [] };
  const images = readRunImages(planned, JSON.stringify({ vm: references, other: references }));
  expect(images.map(({ name, isDisk, references: { length } }) => [name, isDisk, length])).toEqual([
    ['app', false, 0],
    ['other', false, 1],
    ['vm', true, 1],
  ]);
});
