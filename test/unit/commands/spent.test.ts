import { expect, test } from 'vitest';
import type { ImageOutcome } from '../../../src/commands/present-publish.ts';
import type { PublishedImage } from '../../../src/commands/publish-image.ts';
import { type TakenHandover, whyStay } from '../../../src/commands/spent.ts';
import { UserError } from '../../../src/core/error.ts';
import { spentHandovers } from '../../../src/github/find-handovers.ts';
import type { System } from '../../../src/oci/system.ts';

const BOTH: readonly System[] = ['x86_64-linux', 'aarch64-linux'];

const taken = (name: string, systems: readonly System[] = BOTH): TakenHandover => ({
  name: { image: name, system: 'x86_64-linux', attempt: 1 },
  label: { name, systems: [...systems] },
  call: undefined,
});

const published = (name: string, systems: readonly System[], failure?: string): ImageOutcome => {
  const targets = [{ failure: undefined }, { failure }];
  const image = { name, published: { platforms: systems.map((system) => ({ system })) }, targets };
  return { image: image as unknown as PublishedImage };
};

test.each<[string, readonly TakenHandover[], readonly ImageOutcome[], string | undefined]>([
  ['all published everywhere', [taken('a')], [published('a', BOTH)], undefined],
  ['a system is missing', [taken('a')], [published('a', ['x86_64-linux'])], 'a is published without aarch64-linux'],
  ['the image has no other system', [taken('a', ['x86_64-linux'])], [published('a', ['x86_64-linux'])], undefined],
  ['a destination failed', [taken('a')], [published('a', BOTH, 'refused')], 'a is not at every destination'],
  [
    'another image failed',
    [taken('a'), taken('b')],
    [published('a', BOTH), { name: 'b', error: new UserError('platforms', 'no image') }],
    'b is not published',
  ],
])('whether handovers stay: %s', (_, handovers, outcomes, why) => {
  expect(whyStay(handovers, outcomes)).toBe(why);
});

test('spent are the attempts up to the own of the same image, system and call, and nothing else', () => {
  const names = ['1', '2', '2.2', '4'].map((count) => `handover-a-x86_64-linux-0123abcd-${count}.tar`);
  const others = [
    'handover-a-x86_64-linux-1.tar',
    'handover-a-x86_64-linux-89abcdef-1.tar',
    'handover-a-aarch64-linux-0123abcd-1.tar',
    'handover-b-x86_64-linux-0123abcd-1.tar',
    'coverage.tar',
  ];
  const artifacts = [...names, ...others].map((name, id) => ({ name, id }));
  const one = { image: 'a', system: 'x86_64-linux', call: '0123abcd', attempt: 2 } as const;
  expect(spentHandovers(artifacts, [one], 3).map(({ name }) => name)).toEqual(names.slice(0, 3));
  expect(spentHandovers(artifacts, [], 3)).toEqual([]);
});
