import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isArtifactName } from '../../../src/github/artifact-name.ts';
import { findHandovers } from '../../../src/github/find-handovers.ts';
import {
  formatHandoverName,
  type HandoverName,
  newestHandovers,
  parseHandoverName,
  spareHandoverNames,
} from '../../../src/github/handover-name.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { ARM, X86 } from '../../support/systems.ts';

const NAMES: [HandoverName, string][] = [
  [{ image: 'app', system: X86, attempt: 1 }, 'handover-app-x86_64-linux-1.tar'],
  [{ image: 'org/team/app', system: ARM, attempt: 12 }, 'handover-org~team~app-aarch64-linux-12.tar'],
  [{ image: 'a.b_c__d--e', system: X86, attempt: 3 }, 'handover-a.b_c__d--e-x86_64-linux-3.tar'],
  [{ image: 'app', system: X86, attempt: 2, upload: 3 }, 'handover-app-x86_64-linux-2.3.tar'],
  // An image that is called like a handover's end.
  [{ image: 'app-x86_64-linux-2', system: ARM, attempt: 1 }, 'handover-app-x86_64-linux-2-aarch64-linux-1.tar'],
  [{ image: 'handover-app', system: X86, attempt: 1 }, 'handover-handover-app-x86_64-linux-1.tar'],
];

test.each(NAMES)('%j is %s, and back', (name, text) => {
  expect(formatHandoverName(name)).toBe(text);
  expect(parseHandoverName(text)).toEqual(name);
});

test.each([
  '',
  'coverage',
  'handover',
  'handover-app-x86_64-linux-1',
  'handover-app-x86_64-linux-1.tar.gz',
  'handover-app-x86_64-linux-01.tar',
  'handover-app-x86_64-linux-0.tar',
  'handover-app-x86_64-linux-.tar',
  'handover-app-x86_64-linux-1.1.tar',
  'handover-app-x86_64-linux-1.10.tar',
  'handover-app-riscv64-linux-1.tar',
  'handover--x86_64-linux-1.tar',
  'handover-App-x86_64-linux-1.tar',
  'handover-..-x86_64-linux-1.tar',
  'handover-~app-x86_64-linux-1.tar',
  'handover-a~~b-x86_64-linux-1.tar',
  'handover-a/b-x86_64-linux-1.tar',
  'handover-app-x86_64-linux-1.tar\n',
  'handover-app-x86_64-linux-9999999999.tar',
  'xhandover-app-x86_64-linux-1.tar',
])('%j is foreign', (text) => {
  expect(parseHandoverName(text)).toBeUndefined();
});

const part = fc.stringMatching(/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/, { size: 'small' });
const handoverName = fc.record(
  {
    image: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    system: fc.constantFrom(...SYSTEMS),
    attempt: fc.integer({ min: 1, max: 999_999_999 }),
    upload: fc.integer({ min: 2, max: 9 }),
    call: fc.stringMatching(/^[0-9a-f]{8}$/),
  },
  { requiredKeys: ['image', 'system', 'attempt'] },
);

describe('for all names', () => {
  test('what is formatted may be an artifact, and parses to what it was', () => {
    fc.assert(
      fc.property(handoverName, (name) => {
        fc.pre(name.image.length < 200);
        const text = formatHandoverName(name);
        expect(isArtifactName(text)).toBe(true);
        expect(parseHandoverName(text)).toEqual(name);
      }),
    );
  });

  test('a text that parses is the one form of what it means', () => {
    const almost = fc.stringMatching(
      /^handover-[a-z0-9~._-]{1,20}-(x86_64|aarch64)-linux-([0-9a-f]{8}-)?[0-9]{1,3}(\.[0-9])?\.tar$/,
    );
    fc.assert(
      fc.property(almost, (text) => {
        const name = parseHandoverName(text);
        if (name) expect(formatHandoverName(name)).toBe(text);
      }),
    );
  });
});

test('spare names are those of further uploads', () => {
  const spare = spareHandoverNames({ image: 'o/a', system: ARM, attempt: 4 });
  expect(spare).toEqual(['handover-o~a-aarch64-linux-4.2.tar', 'handover-o~a-aarch64-linux-4.3.tar']);
});

test('a name that is too long says so', () => {
  expect(() => formatHandoverName({ image: 'a'.repeat(240), system: X86, attempt: 1 })).toThrow(
    expect.objectContaining({ code: 'handover', hint: expect.stringContaining('Shorten') }),
  );
});

test.each([
  ['app.tar', true],
  ['a b ü', true],
  ['', false],
  ['.', false],
  ['..', false],
  ['a/b', false],
  ['a\\b', false],
  ['a:b', false],
  ['a\nb', false],
  ['a\0b', false],
  ['ü'.repeat(128), false],
])('%j may be an artifact: %s', (name, legal) => {
  expect(isArtifactName(name)).toBe(legal);
});

const artifacts = (...names: string[]) => names.map((name, index) => ({ name, id: 10 + index }));

describe('newestHandovers', () => {
  test.each<[string, string[], [string, string, number, number][]]>([
    ['nothing of nothing', [], []],
    ['nothing of foreign ones', ['coverage', 'logs'], []],
    [
      'one for each image and system',
      ['handover-b-x86_64-linux-1.tar', 'handover-a-x86_64-linux-1.tar', 'handover-a-aarch64-linux-1.tar'],
      [
        ['a', ARM, 1, 12],
        ['a', X86, 1, 11],
        ['b', X86, 1, 10],
      ],
    ],
    [
      'the newest attempt, by number and not by text, wherever it stands',
      [
        'handover-a-x86_64-linux-10.tar',
        'handover-a-x86_64-linux-9.tar',
        'handover-a-aarch64-linux-1.tar',
        'handover-a-aarch64-linux-2.tar',
      ],
      [
        ['a', ARM, 2, 13],
        ['a', X86, 10, 10],
      ],
    ],
    [
      'the last upload of the newest attempt',
      [
        'handover-a-x86_64-linux-1.3.tar',
        'handover-a-x86_64-linux-2.2.tar',
        'handover-a-x86_64-linux-2.tar',
        'handover-a-x86_64-linux-1.tar',
      ],
      [['a', X86, 2, 11]],
    ],
    [
      'no attempt that the run has not reached',
      ['handover-a-x86_64-linux-11.tar', 'handover-a-x86_64-linux-2.tar', 'handover-b-x86_64-linux-999999999.tar'],
      [['a', X86, 2, 11]],
    ],
    [
      'the later of two with one name',
      ['handover-a-x86_64-linux-1.tar', 'handover-a-x86_64-linux-1.tar'],
      [['a', X86, 1, 11]],
    ],
  ])('gives %s', (_what, names, expected) => {
    const found = newestHandovers(artifacts(...names), 10);
    expect(found.map(({ image, system, attempt, artifact }) => [image, system, attempt, artifact.id])).toEqual(
      expected,
    );
  });
});

test.each([
  [['1.tar', 'x'], ['1.2.tar', 'y'], true],
  [['1.tar', 'x'], ['1.tar', 'y'], true],
  [['1.tar', 'x'], ['1.2.tar', 'x'], false],
  // A later attempt is of another build job.
  [['1.tar', 'x'], ['2.tar', 'y'], false],
  [['3.tar', 'x'], ['2.tar', 'y'], false],
])('two handovers %j and %j of one build job must not differ: %s', (one, other, refused) => {
  const list = [one, other].map(([end, digest], id) => ({ name: `handover-a-x86_64-linux-${end}`, id, digest }));
  const find = () => newestHandovers([...list, { name: 'coverage', id: 7, digest: 'z' }], 3);
  if (refused) expect(find).toThrow(/handover-a-x86_64-linux-1\S* differ, and are of one build job/);
  else expect(find()).toHaveLength(1);
});

describe('findHandovers', () => {
  const all = artifacts(
    'handover-a-x86_64-linux-1.tar',
    'handover-a-aarch64-linux-1.tar',
    'handover-b~c-x86_64-linux-2.tar',
  );

  test.each([
    [{}, 3],
    [{ image: 'a' }, 2],
    [{ image: 'b/c' }, 1],
    [{ systems: [ARM] as const }, 1],
    [{ image: 'b/c', systems: [X86, ARM] as const }, 1],
  ])('%j finds %i', (wanted, count) => {
    expect(findHandovers(all, 10, wanted)).toHaveLength(count);
  });

  test.each([
    [
      artifacts(),
      {},
      /looked for handover-IMAGE-x86_64-linux-ATTEMPT\.tar, handover-IMAGE-aarch64-linux-ATTEMPT\.tar; the run has no artifacts$/,
    ],
    [
      all,
      { image: 'x/y', systems: [ARM] as const },
      /looked for handover-x~y-aarch64-linux-ATTEMPT\.tar; there are handover-a-/,
    ],
    [artifacts(...Array.from({ length: 23 }, (_, n) => `log-${n}`)), {}, /log-0, .* and 3 more$/],
  ])('none of %#: says what was looked for and what there is', (list, wanted, message) => {
    expect(() => findHandovers(list, 10, wanted)).toThrow(
      expect.objectContaining({ code: 'handover', message: expect.stringMatching(message) }),
    );
  });
});

describe('of several calls in one run', () => {
  const [one, two] = ['0000000a', '0000000b'];
  const all = artifacts(
    `handover-a-x86_64-linux-${one}-1.tar`,
    `handover-a-x86_64-linux-${two}-1.tar`,
    'handover-b-x86_64-linux-1.tar',
  );

  test('that which is wanted is taken, and that of no call where it has none', () => {
    const ids = (wanted: Parameters<typeof findHandovers>[2]) =>
      findHandovers(all, 1, wanted).map(({ artifact }) => artifact.id);
    expect(ids({ call: one })).toEqual([10, 12]);
    expect(ids({ call: two, image: 'a' })).toEqual([11]);
    expect(ids({ call: '0000000c' })).toEqual([12]);
  });

  test('nothing is guessed', () => {
    expect(() => findHandovers(all, 1)).toThrow(/several calls of this run hand over one image: handover-a-/);
  });
});
