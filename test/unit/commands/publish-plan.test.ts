import { expect, test } from 'vitest';
import { allParts } from '../../../src/commands/platform-inputs.ts';
import type { Publishing } from '../../../src/commands/publish-image.ts';
import { publishPlan } from '../../../src/commands/publish-plan.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { Plan, PlannedImage } from '../../../src/plan/plan.ts';
import { parseToLine } from '../../../src/publish/destination-line.ts';
import type { PlatformInput } from '../../../src/publish/platform-input.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { ARM, X86 } from '../../support/systems.ts';

const KEY = 'a'.repeat(64);
const published = digestOf(Buffer.from('manifest'));
const job = { system: X86, buildSystem: null, kind: 'container', attr: 'app', key: KEY, published } as const;
const plan = {
  ...{ schemaVersion: 3, call: '01234567', plannedAt: null, leftOut: [], problems: [] },
  to: ['oci-archive:before.tar'],
  images: [{ name: 'app', tag: null, why: '', source: { flake: '.', file: null }, jobs: [job], missing: [] }],
} as unknown as Plan;

test('the archives that published parts are in are closed, though the publish fails', async () => {
  let [opened, open] = [0, 0];
  const close = async (): Promise<void> => {
    open -= 1;
  };
  const openForReading = async () => {
    opened += 1;
    open += 1;
    return { source: { name: 'a test', close } };
  };
  const publishing = {
    host: { log: memoryLog(), signal: new AbortController().signal, cwd: '/' },
    tags: { applies: () => true, at: () => undefined },
    places: { openForReading },
    files: { closeAll: async () => [] },
    reuseFrom: [],
  } as unknown as Publishing;
  const inputs = { image: undefined, system: [], allowMissing: false, allowBroken: false, buildMissing: false };
  const to = [parseToLine('oci-archive:elsewhere.tar')];
  const result = await publishPlan(plan, { ...inputs, to }, async () => [], publishing);
  expect(result).toMatchObject({
    outcomes: [{ name: 'app', error: { message: expect.stringContaining('but not yet at oci-archive:') } }],
  });
  expect([opened, open]).toEqual([1, 0]);
});

test('systems come in the same order whatever that of the plan: images built together wait for each other system by system', () => {
  const jobs = [{ ...job, system: ARM }, job];
  const image = { ...plan.images[0], jobs } as unknown as PlannedImage;
  const parts = jobs.map(({ system }) => ({ kind: 'published', system }) as PlatformInput);
  const found = allParts(image, parts, plan, { allowMissing: false, host: { kind: 'terminal' } });
  expect(found.map(({ system }) => system)).toEqual([X86, ARM]);
});
