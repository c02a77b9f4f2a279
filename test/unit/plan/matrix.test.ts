import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { matrixOf, tooLarge } from '../../../src/plan/matrix.ts';
import { MOST_INLINE_BYTES, passedOn } from '../../../src/plan/passed-on.ts';
import { type Plan, type PlannedJob, parsePlan } from '../../../src/plan/plan.ts';
import { planSummary, planText } from '../../../src/plan/report.ts';
import { parseRunner } from '../../../src/plan/runners.ts';

const KEY = 'a'.repeat(64);
const DIGEST = digestOf(Buffer.from('x'));

const planWith = (count: number, change: Partial<PlannedJob> = {}): Plan => ({
  schemaVersion: 3,
  call: '0123abcd',
  plannedAt: null,
  to: ['ghcr.io/org/{name}'],
  images: Array.from({ length: count }, (_, at) => {
    const name = `image-${String(at).padStart(3, '0')}`;
    return {
      name,
      tag: null,
      why: 'nixImages.<system>.a|b is an image definition',
      source: { flake: '.', file: null },
      jobs: SYSTEMS.map((system) => ({
        system,
        buildSystem: null,
        kind: 'definition' as const,
        attr: `nixImages.${system}.${name}`,
        key: KEY,
        published: null,
        ...change,
      })),
      missing: [],
    };
  }),
  leftOut: [{ attr: 'nixImages.x86_64-linux.x', why: 'first line\nsecond line', broken: true, image: true }],
  problems: [],
});

test('a job has all that a workflow asks for', () => {
  expect(matrixOf(planWith(1), [parseRunner('aarch64-linux=big=arm')])).toEqual([
    {
      name: 'image-000',
      system: 'x86_64-linux',
      buildSystem: 'x86_64-linux',
      systems: 'x86_64-linux\naarch64-linux',
      runner: 'ubuntu-latest',
      emulate: '',
      boot: '',
      diskSpace: 0,
      kind: 'definition',
      attr: 'nixImages.x86_64-linux.image-000',
      installable: '.#nixImages.x86_64-linux.image-000',
      file: '',
      key: KEY,
      call: '0123abcd',
    },
    expect.objectContaining({ system: 'aarch64-linux', runner: 'big=arm' }),
  ]);
});

test('the runner of a disk gets the room that the plan knows of', () => {
  const plan = planWith(1, { kind: 'disk', diskSpace: 7 });
  expect(matrixOf(plan, []).map(({ diskSpace }) => diskSpace)).toEqual([7, 7]);
});

test('the runner of a disk with tests boots disks of its system, whatever builds it', () => {
  const plan = planWith(1, { kind: 'disk', boots: true });
  expect(matrixOf(plan, []).map(({ boot }) => boot)).toEqual(['x86_64-linux', 'aarch64-linux']);
});

test('a file has attributes, and no installable', () => {
  const source = { flake: null, file: 'default.nix' };
  const plan = { ...planWith(1), images: planWith(1).images.map((image) => ({ ...image, source })) };
  expect(matrixOf(plan, [])[0]).toMatchObject({
    installable: '',
    file: 'default.nix',
    attr: 'nixImages.x86_64-linux.image-000',
  });
});

test('what is published needs no job, and a disk is a job as an image is', () => {
  expect(matrixOf(planWith(2, { published: DIGEST }), [])).toEqual([]);
  expect(matrixOf(planWith(1, { kind: 'disk' }), [])).toMatchObject([{ kind: 'disk' }, { kind: 'disk' }]);
});

test('a matrix of 256 jobs passes, and more are to be parted by filters', () => {
  const fits = planWith(128);
  expect(tooLarge(fits, matrixOf(fits, []))).toBeUndefined();
  const plan = planWith(129);
  const error = tooLarge(plan, matrixOf(plan, []));
  expect(error?.message).toContain('258 build jobs');
  expect(error?.hint).toContain("'image-0*' in one, and '!image-0*' in the other");
});

test('one image and 900 packages that do not evaluate: what is passed on stays small, and keeps what is news', () => {
  const broken = Array.from({ length: 900 }, (_, at) => ({
    attr: `packages.x86_64-linux.p${at}`,
    why: `error ${at}: ${'x'.repeat(200)}`,
    broken: true,
    image: false,
  }));
  const plan = { ...planWith(1), leftOut: [...broken, ...planWith(1).leftOut] };
  expect(JSON.stringify(plan).length).toBeGreaterThan(151_000);
  const passed = passedOn(plan);
  expect(JSON.stringify(passed).length).toBeLessThan(2000);
  expect(passed.leftOut).toEqual([{ attr: 'nixImages.x86_64-linux.x', why: 'first line', broken: true, image: true }]);
  expect(parsePlan(JSON.stringify(passed))).toEqual(passed);
  expect(planText(plan).split('\n')).toHaveLength(1 + 1 + 2 + 21 + 2 + 2);
  expect(planText(plan)).toContain('  and 881 more');
  expect(planSummary(plan).match(/<code>packages/g)).toHaveLength(19);
});

test('100 images for two systems go in an output; more are not held to a size, for they go by an artifact', () => {
  const bytes = (plan: Plan): number => Buffer.byteLength(JSON.stringify(passedOn(plan)));
  expect(bytes(planWith(100, { published: DIGEST }))).toBeLessThan(MOST_INLINE_BYTES);
  expect(tooLarge(planWith(400, { published: DIGEST }), [])).toBeUndefined();
});

test('a plan is read back as it was written', () => {
  const plan = planWith(2, { published: DIGEST });
  expect(parsePlan(JSON.stringify(plan))).toEqual(plan);
});

test.each([
  ['{', /not JSON/],
  ['[]', /not valid/],
  ['{"schemaVersion":0}', /version 0, and this program reads version 3/],
  [JSON.stringify({ ...planWith(1), more: 1 }), /more/],
  [JSON.stringify(planWith(1, { key: '../x' })), /64 hexadecimal digits/],
])('%s is refused', (text, message) => {
  expect(() => parsePlan(text)).toThrow(message);
});

test('the table says what each image and system is', () => {
  const [first, second] = [planWith(1), planWith(2, { published: DIGEST })];
  const plan = { ...first, images: [...first.images, ...second.images.slice(1)] };
  expect(
    planText(plan)
      .split('\n')
      .map((line) => line.replace(/ {2,}/g, '  ')),
  ).toEqual([
    'image  x86_64-linux  aarch64-linux',
    'image-000  build  build',
    'image-001  published  published',
    '',
    'left out',
    '  nixImages.x86_64-linux.x: first line',
    '',
    '2 images: 2 build jobs needed, 2 published already',
    'next: save the plan with --json > plan.json, and publish it:',
    '  nix-images publish --plan @plan.json --build-missing',
  ]);
  expect(planSummary(plan)).toContain(
    '| image-000 | build | build | <code>nixImages&#46;&#60;system&#62;&#46;a&#124;b is an image definition</code> |',
  );
});
