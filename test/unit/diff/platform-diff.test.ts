import { expect, test } from 'vitest';
import { versionsText } from '../../../src/diff/packages.ts';
import { diffPlatform, type PackageChange } from '../../../src/diff/platform-diff.ts';
import { contents } from './contents-kit.ts';

type Paths = Parameters<typeof contents>[1];

const changes = (before: Paths, after: Paths): readonly PackageChange[] | null =>
  diffPlatform('linux/amd64', contents('linux/amd64', before), contents('linux/amd64', after)).packages;

const told = (before: Paths, after: Paths): string[] | undefined =>
  changes(before, after)?.map(
    ({ name, kind, old, new: now, bytes }) =>
      `${name} ${kind} [${versionsText(old)}] [${versionsText(now)}] ${bytes === null ? '?' : bytes}`,
  );

test.each<[string, Paths, Paths, string[]]>([
  ['nothing', [['a-1', 5]], [['a-1', 5]], []],
  ['a new version', [['a-1.9', 5]], [['a-1.10', 7]], ['a upgraded [1.9] [1.10] 2']],
  ['an older version', [['a-1.10', 5]], [['a-1.9', 5]], ['a downgraded [1.10] [1.9] 0']],
  ['an addition', [], [['b-2', 3]], ['b added [] [2] 3']],
  ['a removal', [['b-2', 3]], [], ['b removed [2] [] -3']],
  ['a rebuild', [['a-1', 5, 'x']], [['a-1', 4, 'y']], ['a rebuilt [1] [1] -1']],
  [
    'outputs of one build',
    [['a-1', 5]],
    [
      ['a-2', 5],
      ['a-2-dev', 2],
    ],
    ['a upgraded [1] [2] 2'],
  ],
  [
    'a second version',
    [['a-1', 5]],
    [
      ['a-1', 5],
      ['a-2', 6],
    ],
    ['a changed [1] [1, 2] 6'],
  ],
  // The same name and version twice: what a comparison by names alone does not see.
  [
    'a second build',
    [['a-1', 5]],
    [
      ['a-1', 5],
      ['a-1', 900, 'other'],
    ],
    ['a changed [1] [1 ×2] 900'],
  ],
  ['names without a version', [['source', 5]], [['source', 6, 'other']], ['source rebuilt [] [] 1']],
  ['sizes that are not known', [['a-1', null]], [['a-2', 6]], ['a upgraded [1] [2] ?']],
])('%s', (_name, before, after, expected) => {
  expect(told(before, after)).toEqual(expected);
});

test('layers are counted as a machine with the old image fetches them', () => {
  const before = contents(
    'p',
    [],
    [
      ['a', 100],
      ['b', 20],
    ],
  );
  const after = contents(
    'p',
    [],
    [
      ['a', 100],
      ['c', 3],
    ],
  );
  expect(diffPlatform('p', before, after).layers).toEqual({ count: 2, shared: 1, bytes: 103, sharedBytes: 100 });
  expect(diffPlatform('p', undefined, after).layers).toBeNull();
  expect(diffPlatform('p', before, contents('p', [], null)).layers).toBeNull();
});

test('what its maker does not say is unknown, and no change', () => {
  const diff = diffPlatform('p', contents('p', null), contents('p', [['a-1', 5]]));
  expect(diff.packages).toBeNull();
  expect([diff.old?.packages, diff.new?.packages, diff.new?.closure]).toEqual([null, 1, 5]);
});

test('the ten largest packages are told, largest first', () => {
  const paths = Array.from({ length: 12 }, (_, at) => [`p${at}-1`, at] as const);
  const { biggest } = diffPlatform('p', undefined, contents('p', paths));
  expect([biggest.length, biggest[0], biggest.at(-1)]).toEqual([
    10,
    { name: 'p11', bytes: 11 },
    { name: 'p2', bytes: 2 },
  ]);
});
