import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decide } from '../../../src/prune/decide.ts';
import type { Prunable } from '../../../src/prune/prunable.ts';
import { freedBytes, goingNames } from '../../../src/prune/prune-plan.ts';
import type { PullState } from '../../../src/prune/verdicts.ts';
import { digest, gone, item, listTag, NOW, policyOf } from './kit.ts';

const PULLS: ReadonlyMap<number, PullState> = new Map([
  [1, 'open'],
  [2, 'closed'],
  [26, 'open'],
]);

const facts = { now: NOW, pulls: PULLS };

/** Four images of different ages, the first of them the newest. */
const RELEASES = [
  item('a', { names: ['v4', 'latest', 'main'], age: 1 }),
  item('b', { names: ['v3'], age: 10 }),
  item('c', { names: ['v2', 'main-2'], age: 40 }),
  item('d', { names: ['main-1'], age: 90 }),
];

test.each<[string, Parameters<typeof policyOf>[0], readonly Prunable[], string[]]>([
  ['keep-last counts images, not tags', { keepLast: ['2'] }, RELEASES, ['c', 'd']],
  ['keep-last of a pattern is about no other tag', { keepLast: ['1 of main-*'] }, RELEASES, ['d']],
  [
    'keep-last 0 keeps what other rules keep',
    { keepLast: ['0'], keepTags: ['>=2'] },
    RELEASES,
    ['main', 'main-2', 'd'],
  ],
  ['max-age', { maxAge: ['30d'] }, RELEASES, ['c', 'd']],
  ['a tag stays when any rule keeps it', { maxAge: ['30d'], keepLast: ['3'] }, RELEASES, ['d']],
  ['keep-tags keeps the image, not its other tags', { maxAge: ['30d'], keepTags: ['v*'] }, RELEASES, ['main-2', 'd']],
  ['latest is never removed', { keepLast: ['0'] }, RELEASES, ['v4', 'main', 'b', 'c', 'd']],
  ['without a rule about tags they stay', { untagged: 0 }, RELEASES, []],
  ['a time that nobody knows keeps', { maxAge: ['30d'] }, [item('a', { names: ['x'], age: null })], []],
  ['what has no tag goes by its own rule alone', { maxAge: ['1d'] }, [item('a', { age: 50 })], []],
  [
    'untagged, once it is old enough',
    { untagged: 7 },
    [item('a', { age: 8 }), item('b', { age: 6 }), item('c', { age: null })],
    ['a'],
  ],
  [
    'an index takes its images with it',
    { maxAge: ['30d'] },
    [item('a', { names: ['x'], age: 40, needs: ['b', 'c'] }), item('b', { age: 40 }), item('c')],
    ['a', 'b', 'c'],
  ],
  [
    'an image that another index needs stays',
    { maxAge: ['30d'] },
    [
      item('a', { names: ['x'], age: 40, needs: ['b', 'c'] }),
      item('b', { age: 40 }),
      item('c', { age: 40 }),
      item('d', { names: ['y'], needs: ['c'] }),
    ],
    ['a', 'b'],
  ],
  [
    'an image that an index needs loses its own tag only',
    { maxAge: ['30d'] },
    [item('a', { names: ['x'], needs: ['b'] }), item('b', { names: ['x-amd64'], age: 40 })],
    ['x-amd64'],
  ],
  [
    'signatures and lists of them follow their subject, those of an image in an index too',
    { maxAge: ['30d'] },
    [
      item('a', { names: ['x'], age: 40, needs: ['b'] }),
      item('b', { age: 40 }),
      item('c', { about: ['b'] }),
      item('d', { names: [listTag('b')], about: ['b'], needs: ['c'] }),
      item('e', { names: [listTag('a', '.sig')], about: ['a'] }),
      item('f', { names: ['y'] }),
      item('0', { names: [listTag('f', '.sig')], about: ['f'], age: 400 }),
    ],
    ['a', 'b', 'c', 'd', 'e'],
  ],
  [
    'a signature of two images stays with one of them',
    { maxAge: ['30d'] },
    [item('a', { names: ['x'], age: 40 }), item('b', { names: ['y'] }), item('c', { about: ['a', 'b'] })],
    ['a'],
  ],
  [
    'signatures whose image is gone go as what has no tag does',
    { untagged: 7 },
    [
      item('a', { names: [listTag('f')], about: ['f'], needs: ['b'], age: 8 }),
      item('b', { about: ['f'], age: 8 }),
      item('c', { names: [listTag('e', '.sig')], about: ['e'], age: 6 }),
    ],
    ['a', 'b'],
  ],
  [
    'previews of closed pull requests go, of exactly that number',
    { closedPreviews: true },
    [
      item('a', { names: ['pr-2'] }),
      item('b', { names: ['pr-26'] }),
      item('c', { names: ['pr-2-0123abc', 'v1'] }),
      item('d', { names: ['pr-1', 'pr-2-fedcba9'] }),
      item('e', { names: ['pr-3'] }),
    ],
    ['a', 'pr-2-0123abc', 'pr-2-fedcba9'],
  ],
  [
    'no other rule is about previews then, but keep-tags',
    { closedPreviews: true, maxAge: ['1d'], keepLast: ['1'], keepTags: ['pr-2-*'] },
    [
      item('a', { names: ['pr-1'], age: 50 }),
      item('b', { names: ['pr-2-0123abc'] }),
      item('c', { names: ['x'], age: 20 }),
      item('d', { names: ['y'], age: 30 }),
    ],
    ['d'],
  ],
  [
    'what belongs to itself alone goes as what has no tag does',
    { untagged: 7 },
    [
      item('a', { age: 8, needs: ['b'] }),
      item('b', { age: 9, needs: ['a'] }),
      item('c', { needs: ['d'] }),
      item('d', { age: 9, needs: ['c'] }),
    ],
    ['a', 'b'],
  ],
])('%s', (_name, policy, items, expected) => {
  expect(gone(decide(items, policyOf(policy), facts))).toEqual(expected);
});

const LETTERS = [...'0123456789abcdef'];

const letters = fc.subarray(LETTERS, { maxLength: 3 });

const name = fc.constantFrom(
  'latest',
  'main',
  'v1',
  'v2',
  'v3.1',
  'pr-1',
  'pr-2',
  'pr-2-0123abc',
  'pr-26',
  'nightly-1',
);

/** Items that need only those of higher letters, as digests make sure, and are about any. */
const items = fc
  .array(
    fc.record({
      names: fc.uniqueArray(name, { maxLength: 3 }),
      age: fc.option(fc.nat(100)),
      needs: letters,
      about: letters,
      isList: fc.boolean(),
    }),
    { maxLength: LETTERS.length },
  )
  .map((written) => {
    const taken = new Set<string>();
    return written.map(({ names, needs, about, isList, age }, at) => {
      const own = LETTERS[at] ?? '';
      const free = names.filter((one) => !taken.has(one));
      for (const one of free) taken.add(one);
      const subjects = about.slice(0, isList ? 1 : 0).filter((one) => one !== own);
      const tag = subjects
        .slice(0, 1)
        .map((one) => listTag(one))
        .filter((one) => !taken.has(one));
      for (const one of tag) taken.add(one);
      return item(own, {
        names: [...free, ...tag],
        age,
        needs: needs.filter((one) => one > own),
        about: subjects,
      });
    });
  });

const policies = fc
  .record({
    keepLast: fc.subarray(['0', '1', '3', '1 of v*', '2 of nightly-*']),
    maxAge: fc.subarray(['0d', '20d', '50d of v*']),
    keepTags: fc.subarray(['v*', '>=3', 'main', 'pr-26']),
    untagged: fc.option(fc.nat(90), { nil: undefined }),
    closedPreviews: fc.boolean(),
  })
  .map(({ untagged, ...rest }) => policyOf({ ...rest, ...(untagged === undefined ? {} : { untagged }) }));

test('nothing that stays loses a part or what is about it, and a second run finds nothing', () => {
  fc.assert(
    fc.property(items, policies, (all, policy) => {
      const decisions = decide(all, policy, facts);
      const kept = new Map(decisions.filter(({ goes }) => !goes).map((one) => [one.item.id, one]));
      const known = new Set(all.map(({ id }) => id));
      for (const { item: one, names } of kept.values()) {
        for (const need of one.needs) expect(kept.has(need) || !known.has(need)).toBe(true);
        for (const other of all) if (other.about.includes(one.id)) expect(kept.has(other.id)).toBe(true);
        expect(names.length).toBe(one.names.length);
      }
      for (const { goes, names } of decisions) if (goes) expect(names.every((one) => one.goes)).toBe(true);
      const after = [...kept.values()].map((one) => {
        const lost = new Set(goingNames(one));
        return { ...one.item, names: one.item.names.filter((tag) => !lost.has(tag)) };
      });
      expect(gone(decide(after, policy, facts))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('bytes that others store too are not freed', () => {
  const shared = [digest('f'), 1000] as const;
  const a = { ...item('a'), stored: new Map([[digest('a'), 1], shared, [digest('e'), 30]]) };
  const b = {
    ...item('b'),
    stored: new Map([
      [digest('b'), 2],
      [digest('e'), 30],
    ]),
  };
  const c = { ...item('c'), stored: new Map([[digest('c'), 4], shared]) };
  expect(freedBytes([a, b], [c])).toBe(1 + 2 + 30);
  expect(freedBytes([a, b, c], [])).toBe(1 + 2 + 4 + 30 + 1000);
});
