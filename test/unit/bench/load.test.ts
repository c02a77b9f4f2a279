import { expect, test } from 'vitest';
import { type LoadRun, type LoadStep, loadText, missedLoad } from '../../../bench/load/result.ts';

const run = (way: LoadRun['way'], step: LoadStep, loadSeconds: number, memory = 1e8): LoadRun => ({
  ...{
    engine: 'podman',
    way,
    step,
    round: 0,
    madeSeconds: way === 'archive' && step !== 'unchanged' ? 5 : 0,
    loadSeconds,
    memory,
  },
});

test.each([
  [1.6, 2.4, 1e8, []],
  [1.8, 2.4, 1e8, ['podman, unchanged']],
  [1.6, 2.6, 1e8, ['podman, leaf']],
  [1.6, 2.4, 3e8, ['memory']],
])('unchanged %d s, a leaf %d s beside an evaluation of one second, %d bytes', (unchanged, leaf, memory, missed) => {
  const own = [run('own', 'cold', 60), run('own', 'unchanged', unchanged), run('own', 'leaf', leaf, memory)];
  const archive = [run('archive', 'cold', 70), run('archive', 'unchanged', 9), run('archive', 'leaf', 20, 9e8)];
  const result = { evaluation: 1, runs: [...own, ...archive], loadBefore: 0.1 };
  expect(missedLoad(result)).toEqual(missed);
  const text = loadText(result);
  expect(text).toMatch(/archive, podman load +75\.00 +9\.00 +25\.00/);
  expect(text).toContain(missed.length === 0 ? 'all reached' : `missed: ${missed.join('; ')}`);
});
