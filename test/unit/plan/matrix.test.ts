import { expect, test } from 'vitest';
import { digestOf } from '../../../src/oci/digest.ts';
import { SYSTEMS } from '../../../src/oci/system.ts';
import { batchedJobs, jobNames, matrixOf, tooLarge, tooLong } from '../../../src/plan/matrix.ts';
import { MOST_OUTPUT_BYTES } from '../../../src/plan/output-limit.ts';
import { MOST_INLINE_BYTES, passedOn } from '../../../src/plan/passed-on.ts';
import { type Plan, type PlannedJob, parsePlan } from '../../../src/plan/plan.ts';
import { planSummary, planText } from '../../../src/plan/report.ts';
import { parseRunner, type RunnerLine } from '../../../src/plan/runners.ts';

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

/** A job for each image and system, unless told otherwise. */
const jobsOf = (
  plan: Plan,
  given: readonly RunnerLine[] = [],
  limits: Partial<Parameters<typeof batchedJobs>[1]> = {},
) => matrixOf(batchedJobs(plan, { batch: 'none', maxJobs: 256, partsOf: () => new Set(), ...limits }), plan, given);

test('a job has all that a workflow asks for', () => {
  expect(jobsOf(planWith(1), [parseRunner('aarch64-linux=big=arm')])).toEqual([
    {
      name: 'image-000',
      images: 'image-000',
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
  expect(jobsOf(plan).map(({ diskSpace }) => diskSpace)).toEqual([7, 7]);
});

test('a job of several images has each of them on a line of its own', () => {
  const jobs = jobsOf(planWith(20), [], { batch: 'auto', maxJobs: 8 });
  expect(jobs).toHaveLength(8);
  expect(jobs[0]).toMatchObject({
    name: 'image-000 and 4 more',
    images: 'image-000\nimage-001\nimage-002\nimage-003\nimage-004',
    system: 'x86_64-linux',
    systems: 'x86_64-linux\naarch64-linux',
  });
  expect(jobs[0]?.installable.split('\n')[1]).toBe('.#nixImages.x86_64-linux.image-001');
  expect(
    jobs.map(({ name, system }) => `${name} ${system}`).filter((name, at, all) => all.indexOf(name) !== at),
  ).toEqual([]);
});

test('images of one job have one machine, one list of systems and one file, and a disk has a job of its own', () => {
  const plan = planWith(4);
  const [a, b, c, d] = plan.images;
  if (!a || !b || !c || !d) throw new RangeError('there are four');
  const images = [
    a,
    { ...b, jobs: b.jobs.slice(0, 1) },
    { ...c, source: { flake: null, file: 'default.nix' } },
    { ...d, jobs: d.jobs.map((job) => ({ ...job, kind: 'disk' as const })) },
  ];
  const jobs = jobsOf({ ...plan, images }, [], { batch: 'auto', maxJobs: 1 });
  expect(jobs).toHaveLength(7);
  // A cross-compiled image is built where others are that run there.
  const crossed = { ...plan, images: [a, { ...b, jobs: b.jobs.map((job) => ({ ...job, buildSystem: SYSTEMS[0] })) }] };
  expect(jobsOf(crossed, [], { batch: 'auto', maxJobs: 1 })).toHaveLength(4);
  expect(jobsOf(crossed).filter(({ name }) => name === b.name)[1]).toMatchObject({
    system: 'aarch64-linux',
    buildSystem: 'x86_64-linux',
    runner: 'ubuntu-latest',
    emulate: '',
  });
});

test('the runner of a disk with tests boots disks of its system, whatever builds it', () => {
  const plan = planWith(1, { kind: 'disk', boots: true });
  expect(jobsOf(plan).map(({ boot }) => boot)).toEqual(['x86_64-linux', 'aarch64-linux']);
});

test('a system that is emulated has the runner of the other one, which is told so', () => {
  expect(jobsOf(planWith(1), [parseRunner('aarch64-linux=emulate')])).toMatchObject([
    { system: 'x86_64-linux', runner: 'ubuntu-latest', emulate: '' },
    { system: 'aarch64-linux', runner: 'ubuntu-latest', emulate: 'aarch64-linux' },
  ]);
});

test('a file has attributes, and no installable', () => {
  const source = { flake: null, file: 'default.nix' };
  const plan = { ...planWith(1), images: planWith(1).images.map((image) => ({ ...image, source })) };
  expect(jobsOf(plan)[0]).toMatchObject({
    installable: '',
    file: 'default.nix',
    attr: 'nixImages.x86_64-linux.image-000',
  });
});

test('what is published needs no job, and a disk is a job as an image is', () => {
  expect(jobsOf(planWith(2, { published: DIGEST }))).toEqual([]);
  expect(jobsOf(planWith(1, { kind: 'disk' }))).toMatchObject([{ kind: 'disk' }, { kind: 'disk' }]);
});

test('a matrix of 256 jobs passes, and more are to be parted by filters', () => {
  const fits = planWith(128);
  expect(tooLarge(fits, jobsOf(fits))).toBeUndefined();
  const plan = planWith(129);
  const error = tooLarge(plan, jobsOf(plan));
  expect(error?.message).toContain('258 build jobs');
  expect(error?.hint).toContain("'image-0*' in one, and '!image-0*' in the other");
});

test('of 1000 images for two systems, what tells the jobs apart fits into one input of an action', () => {
  const jobs = jobsOf(planWith(1000), [], { batch: 'auto', maxJobs: 20 });
  // Linux takes 128 KiB of one variable (execve(2)), and an action has its inputs as variables.
  expect(JSON.stringify(jobs).length).toBeGreaterThan(128 * 1024);
  expect(JSON.stringify(jobNames(jobs)).length).toBeLessThan(64 * 1024);
  expect(jobNames(jobs)[0]).toEqual({
    name: 'image-000 and 99 more',
    images: jobs[0]?.images,
    system: 'x86_64-linux',
    buildSystem: 'x86_64-linux',
  });
});

test('outputs that GitHub would fail a job for are an error before, which says how to part the plan', () => {
  const plan = planWith(3);
  // GitHub counts two bytes for a character.
  expect(tooLong(plan, { matrix: 'x'.repeat(MOST_OUTPUT_BYTES / 2 - 6) })).toBeUndefined();
  const error = tooLong(plan, { matrix: 'x'.repeat(MOST_OUTPUT_BYTES / 4), plan: 'x'.repeat(MOST_OUTPUT_BYTES / 4) });
  expect(error?.message).toBe(
    'the plan of 3 images takes 1.0 MB of outputs, and GitHub fails a job with more than 1 MiB',
  );
  expect(error?.hint).toContain("images: 'image-001*' in one, and '!image-001*' in the other");
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

test('a reason that begins with a heading is shown with what stands below it', () => {
  const why = 'mkImage: some arguments are written in another way here:\n  name: leave the registry out\n  more';
  const plan = { ...planWith(1), leftOut: [{ attr: 'nixImages.x86_64-linux.x', why, broken: true, image: true }] };
  const shown = 'mkImage: some arguments are written in another way here: name: leave the registry out';
  expect(planText(plan)).toContain(`  nixImages.x86_64-linux.x: ${shown}\n`);
  expect(passedOn(plan).leftOut.map((item) => item.why)).toEqual([shown]);
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
