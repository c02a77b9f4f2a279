import { expect, test } from 'vitest';
import type { Entry, Place } from '../../../src/nix/discovery-expression.ts';
import { type Ending, exploreAround } from '../../../src/nix/find-culprits.ts';

const place = (...path: string[]): Place => ({ path, system: null });
const textOf = ({ path }: Pick<Place, 'path'>): string => path.join('.');

/** Evaluates as Nix would: one set `packages` with `count` attributes, of which some end the evaluation. */
function evaluator(count: number, deadly: ReadonlySet<string>) {
  const calls: number[] = [];
  const evaluate = async (places: readonly Place[]): Promise<Ending> => {
    calls.push(places.length);
    const marks: string[] = [];
    const entries: Entry[] = [];
    const mark = (event: string, one: Place) => marks.push(` ${event} ${JSON.stringify(one)}`);
    const visit = (one: Place): boolean => {
      mark('enter', one);
      if (one.path.length === 1) {
        const children = Array.from({ length: count }, (_, at) => place('packages', `a${at}`));
        mark('set', one);
        for (const child of children) mark('child', child);
        return children.every(visit);
      }
      if (one.path[1]?.endsWith('7')) mark('image', one);
      if (deadly.has(textOf(one))) return false;
      entries.push({ kind: 'other', type: 'x', path: [...one.path], system: null });
      return true;
    };
    if (!places.every(visit)) return { ok: false, stderr: `error: ${textOf(place())}no way`, marks };
    return { ok: true, entries };
  };
  return { calls, evaluate };
}

const failed = (stderr: string): Error => new Error(stderr);

test.each([
  [400, []],
  [400, ['packages.a0']],
  [400, ['packages.a17', 'packages.a399']],
  [1, ['packages.a0']],
  [1100, ['packages.a3', 'packages.a4', 'packages.a5', 'packages.a600']],
] as const)('of %i attributes %j end the evaluation, and few calls find them', async (count, deadly) => {
  const { calls, evaluate } = evaluator(count, new Set(deadly));
  const found = await exploreAround([place('packages')], evaluate, failed);
  const broken = found.filter(({ kind }) => kind === 'broken');
  expect(broken.map(textOf).sort()).toEqual([...deadly].sort());
  expect(found.map(textOf).sort()).toEqual(Array.from({ length: count }, (_, at) => `packages.a${at}`).sort());
  // One for each culprit, four parts of the rest, and the ones that went well before.
  expect(calls.length).toBeLessThanOrEqual(1 + deadly.length + 2 * Math.max(4, Math.ceil(count / 250)));
});

test('a culprit is known as an image by its marks', async () => {
  const { evaluate } = evaluator(20, new Set(['packages.a17', 'packages.a18']));
  const found = await exploreAround([place('packages')], evaluate, failed);
  const images = found.flatMap((one) => (one.kind === 'broken' ? [[textOf(one), one.image, one.message]] : []));
  expect(images).toEqual([
    ['packages.a17', true, 'no way'],
    ['packages.a18', false, 'no way'],
  ]);
});

test('an evaluation that comes to no place at all is an error', async () => {
  const evaluate = async (): Promise<Ending> => ({ ok: false, stderr: 'no flake', marks: [' enter {', 'enter'] });
  await expect(exploreAround([place('packages')], evaluate, failed)).rejects.toThrow('no flake');
});
