import { expect, test } from 'vitest';
import { amiPlanJson, amiPlanMarkdown, amiPlanText } from '../../../src/ami/show-plan.ts';
import type { Wanted } from '../../../src/ami/wanted.ts';
import { parseWanted } from '../../../src/ami/wanted.ts';
import { refusal } from './model.ts';
import { disk, POINTER, REGIONS, Scene, wanted } from './scene.ts';

const X86 = disk('x86_64-linux', 'a');

test('every step stands behind what it needs, and what is public behind all regions that must not fail', async () => {
  const { steps, total } = await new Scene().plan(wanted());
  const at = new Map(steps.map(({ id }, index) => [id, index]));
  for (const [index, { id, needs }] of steps.entries())
    for (const need of needs) expect(at.get(need), `${id} needs ${need}`).toBeLessThan(index);
  expect(at.size).toBe(steps.length);
  const waits = steps.filter(({ kind, mayFail }) => kind === 'wait' && !mayFail).map(({ id }) => id);
  expect(waits).toHaveLength(6);
  for (const { kind, needs } of steps.filter((step) => /permission/.test(step.kind)))
    expect(needs, kind).toEqual(expect.arrayContaining(waits));
  // No region waits for one that may fail.
  const optional = new Set(steps.filter(({ mayFail }) => mayFail).map(({ id }) => id));
  for (const step of steps.filter(({ mayFail }) => !mayFail))
    expect(step.needs.filter((need) => optional.has(need))).toEqual([]);
  expect(steps.filter(({ kind }) => kind === 'copy')).toHaveLength(6);
  // Two disks of 1e9 bytes are 1908 blocks each.
  expect(total.bytes).toBe(2 * 1908 * 524_288);
  expect(total.requests).toBeGreaterThan(3816);
  expect(total.dollars).toBeCloseTo((3816 / 1000) * 0.006 + 6 * 0.02, 5);
});

test('what goes through S3 goes whole, and is imported for minutes', async () => {
  const one = { disks: [X86] };
  const [direct, whole] = await Promise.all(
    ['ebs-direct', 's3'].map((upload) => new Scene().plan(wanted({ ...one, upload }))),
  );
  const [sent, imported] = [direct, whole].map((plan) => plan?.steps.find(({ kind }) => kind === 'snapshot')?.estimate);
  expect(sent).toMatchObject({ requests: 1910, bytes: 1908 * 524_288 });
  // 5 GiB in parts of 8 MiB, zeros included.
  expect(imported).toMatchObject({ bytes: 5 * 1024 ** 3, dollars: (640 / 1000) * 0.005 });
  expect(imported?.requests).toBeGreaterThan(640);
  expect(imported?.requests).toBeLessThan(700);
  expect(imported?.seconds).toBeGreaterThan(900);
});

test('the plan is shown as text, Markdown and JSON, and twelve regions fit', async () => {
  const regions = Array.from({ length: 12 }, (_, at) => `us-east-${at + 1}`);
  const plan = await new Scene(regions).plan(wanted({ regions: { required: regions } }));
  expect(plan.steps.filter(({ kind }) => kind === 'copy')).toHaveLength(22);
  expect(amiPlanText(plan)).toMatch(/\d+ steps in 12 regions: \d+ requests, 2\.0 GB, about \d+ min/);
  expect(amiPlanMarkdown(plan)).toContain('| us-east-12 |');
  expect(JSON.parse(amiPlanJson(plan)).steps).toHaveLength(plan.steps.length);
});

test('what has the content and is disabled is refused, with who disabled it and how to enable it', async () => {
  const scene = new Scene();
  await scene.run(wanted());
  const [image] = scene.cloud.region('us-east-1').images.values();
  if (image === undefined) throw new Error('no AMI');
  image.state = 'disabled';
  const told = `${image.id} has this content and is disabled: aws ec2 enable-image --region us-east-1 --image-id ${image.id}`;
  await expect(scene.plan(wanted())).rejects.toThrow(told);
  image.tags.set('nix-images:disabled', '2026-01-31T00:00:00Z');
  await expect(scene.plan(wanted())).rejects.toThrow('was disabled by prune at 2026-01-31T00:00:00Z');
  image.state = 'available';
  expect((await scene.plan(wanted())).steps).toEqual([]);
});

test('copies wait for a smoke test', async () => {
  const { steps } = await new Scene().plan(wanted({ smokeTest: true }));
  const copies = steps.filter(({ kind }) => kind === 'copy');
  for (const { needs } of copies) expect(needs.some((need) => need.startsWith('smoke-test us-east-1'))).toBe(true);
});

const problemsOf = (more: object): string => {
  try {
    wanted(more);
    return '';
  } catch (error) {
    return String(error);
  }
};

test.each<[string, object, RegExp]>([
  ['no regions', { regions: { required: [] } }, /at least one region/],
  ['not a region', { regions: { required: ['Frankfurt'] } }, /expected a region such as/],
  ['a region twice', { regions: { required: ['us-east-1', 'us-east-1'] } }, /us-east-1 is named twice/],
  ['two partitions', { regions: { required: ['us-east-1', 'us-gov-east-1'] } }, /is in aws-us-gov/],
  ['no disks', { disks: [] }, /at least one disk/],
  ['two disks of one system', { disks: [X86, disk('x86_64-linux', 'b')] }, /two disks of team\/server/],
  ['no whole GiB', { disks: [{ ...X86, bytes: 1e9 }] }, /whole GiB/],
  ['a TPM without uefi', { disks: [{ ...X86, tpm: true, bootMode: 'uefi-preferred' }] }, /needs the boot mode uefi/],
  ['arm64 with BIOS', { disks: [disk('aarch64-linux', 'a', { bootMode: 'legacy-bios' })] }, /boot by uefi alone/],
  ['another system', { disks: [disk('riscv64-linux', 'a')] }, /system/],
  ['public with a key', { kmsKeys: { 'us-east-1': 'alias/a' } }, /encrypted AMI cannot be public/],
  ['one pointer for two systems', { parameters: ['/images/latest'] }, /needs \{system\} or \{arch\}/],
  ["AWS's own names", { parameters: ['/aws/{arch}'] }, /belong to AWS/],
  ['public for ten years', { deprecateAfterDays: 3650 }, /730 days at most/],
  ['no account', { sharing: { accounts: ['1234'] } }, /12 digits/],
])('refused: %s', (_, more, message) => {
  expect(problemsOf(more)).toMatch(message);
});

test('all that is wrong is told at once', () => {
  expect(() => parseWanted({ disks: [], regions: { required: [] } })).toThrow(
    expect.objectContaining({ code: 'input', message: expect.stringMatching(/one disk[\s\S]*one region/) }),
  );
});

const planOf = async (asked: Wanted, prepare: (scene: Scene) => unknown): Promise<string> => {
  const scene = new Scene();
  prepare(scene);
  try {
    const { steps, unreached } = await scene.plan(asked);
    return `${steps.length} steps, left out: ${[...unreached.keys()].join(', ')}`;
  } catch (error) {
    return `${error instanceof Error ? error.message : error}`;
  } finally {
    expect(scene.cloud.changes()).toBe(0);
  }
};

const onEu = (change: (region: ReturnType<Scene['cloud']['region']>) => unknown) => (scene: Scene) =>
  change(scene.cloud.region('eu-central-1'));

test.each<[string, object, (scene: Scene) => unknown, RegExp]>([
  ['another account', { accounts: ['999999999999'] }, () => {}, /of account 111122223333/],
  ['an unknown region', { regions: { required: ['us-east-9'] } }, () => {}, /unknown region us-east-9/],
  [
    'a region switched off',
    {},
    ({ cloud }) => Object.assign(cloud, { off: ['ap-south-1'] }),
    /does not use ap-south-1/,
  ],
  [
    'encryption by default',
    {},
    onEu((here) => Object.assign(here, { encrypts: true })),
    /eu-central-1: the account encrypts/,
  ],
  [
    'blocked AMIs',
    {},
    onEu((here) => Object.assign(here, { blocksImages: true })),
    /eu-central-1: block public access for AMIs/,
  ],
  [
    'blocked snapshots',
    {},
    onEu((here) => Object.assign(here, { blocksSnapshots: true })),
    /public access for snapshots/,
  ],
  ['the quota', { publicQuota: 1 }, () => {}, /us-east-1: 0 public AMIs and 2 more[\s\S]*eu-central-1: 0 public/],
  [
    'a name of another AMI',
    { name: 'fixed-{arch}' },
    ({ cloud }) => void cloud.seed('eu-central-1', { name: 'fixed-arm64' }),
    /eu-central-1: ami-\d+ has the name fixed-arm64/,
  ],
  ['one name for two systems', { name: 'fixed' }, () => {}, /the name of two AMIs/],
  [
    'a parameter of text',
    {},
    onEu(({ parameters }) =>
      parameters.set('/images/team/server/arm64/latest', [{ value: 'ami-1', version: 1, dataType: 'text' }]),
    ),
    /is of the type text, which cannot be changed/,
  ],
  [
    'a region that may fail',
    {},
    ({ cloud }) => Object.assign(cloud.region('sa-east-1'), { blocksImages: true }),
    /left out: sa-east-1/,
  ],
  [
    'a region that does not answer',
    {},
    ({ cloud }) => {
      cloud.onCall = ({ region }) => {
        if (region === 'sa-east-1') throw refusal('InternalError');
      };
    },
    /left out: sa-east-1/,
  ],
])('before anything is made: %s', async (_, more, prepare, message) => {
  expect(await planOf(wanted(more), prepare)).toMatch(message);
});

test('what may not be asked beforehand is no reason to refuse', async () => {
  const scene = new Scene();
  scene.cloud.onCall = ({ verb }) => {
    if (/^(?:encrypts|blocks)/.test(verb)) throw refusal('UnauthorizedOperation');
  };
  expect((await scene.plan(wanted())).steps.length).toBeGreaterThan(30);
});

test('a failed copy of before, and a double, are removed', async () => {
  const scene = new Scene();
  const asked = wanted({ disks: [X86], parameters: [POINTER] });
  const [place] = (await scene.plan(asked)).places.filter(({ region }) => region === REGIONS[1]);
  const tags = new Map([['nix-images:content', place?.content ?? '']]);
  scene.cloud.seed('eu-central-1', { name: 'corpse', state: 'failed', tags });
  scene.cloud.seed('eu-central-1', { name: 'first', created: 1, tags });
  scene.cloud.seed('eu-central-1', { name: 'second', created: 2, tags });
  expect((await scene.run(asked)).outcome).toBe('published');
  expect(scene.cloud.state()).toMatch(/eu-central-1 ami first \[\] true true/);
  expect(scene.cloud.state()).not.toMatch(/corpse|second/);
});

test('a double goes without the snapshot that the AMI which stays is made of', async () => {
  const scene = new Scene();
  const asked = wanted({ disks: [X86], parameters: [POINTER] });
  const [place] = (await scene.plan(asked)).places;
  const tags = new Map([['nix-images:content', place?.content ?? '']]);
  const home = REGIONS[0] ?? '';
  scene.cloud.seed(home, { name: 'first', created: 1, tags });
  scene.cloud.seed(home, { name: 'second', created: 2, tags });
  const [first, second] = scene.cloud.region(home).images.values();
  Object.assign(second ?? {}, { snapshot: first?.snapshot });
  const { outcome, failure } = await scene.run(asked);
  expect([outcome, failure]).toEqual(['published', undefined]);
  expect(scene.cloud.region(home).snapshots.has(first?.snapshot ?? '')).toBe(true);
  expect(scene.log.lines.some((line) => line.includes('is still in use and stays'))).toBe(true);
});
