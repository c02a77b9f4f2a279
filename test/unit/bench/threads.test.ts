import { expect, test } from 'vitest';
import { firstProcessors } from '../../../bench/threads/cores.ts';
import { missedThreads, mostMemory, type ThreadRun, threadsText } from '../../../bench/threads/result.ts';

const run = (threads: number, more: Partial<ThreadRun> = {}): ThreadRun => ({
  ...{ who: 'nix-images', codec: 'gzip', threads, wallSeconds: 3, cpuSeconds: 20, mainSeconds: 1 },
  ...{ memory: 150e6, layers: ['sha256:a', 'sha256:b'] },
  ...more,
});

const result = (cores: number, ...runs: ThreadRun[]) => ({ runs, cores, tarBytes: 3.4e9, loadBefore: 0 });

test.each([
  ['nothing', result(2, run(2), run(16)), []],
  [
    'layers',
    result(2, run(2), run(4, { layers: ['sha256:a', 'sha256:c'] })),
    ['gzip: layers differ by the number of threads'],
  ],
  ['memory', result(2, run(4, { memory: 201e6 })), ['gzip, 4 threads: 201 MB, at most 200']],
  ['seconds', result(16, run(16, { wallSeconds: 4.1 })), ['gzip, 16 threads: 4.10 s, at most 4.00']],
  ['zstd', result(16, run(16, { codec: 'zstd', wallSeconds: 2.6 })), ['zstd, 16 threads: 2.60 s, at most 2.50']],
  ['seconds on few cores', result(8, run(16, { wallSeconds: 9 })), []],
  ['a peer', result(16, run(16, { who: 'skopeo', wallSeconds: 9, memory: 1e9, layers: [] })), []],
])('missed: %s', (_what, found, missed) => {
  expect(missedThreads(found)).toEqual(missed);
  expect(threadsText(found).split('\n').at(-1)).toBe(missed.length === 0 ? 'reached' : `missed: ${missed[0]}`);
});

test('memory grows by 25 MB a thread beyond four', () => {
  expect([1, 4, 8, 16].map(mostMemory)).toEqual([200e6, 200e6, 310e6, 510e6]);
});

test('medians, and CPU beside that of the fewest threads', () => {
  const runs = [run(2, { cpuSeconds: 19 }), run(2, { cpuSeconds: 90 }), run(2), run(16, { cpuSeconds: 26 })];
  expect(threadsText(result(2, ...runs))).toContain('gzip | nix-images | 16 | 3.00 | 26.00 | 1.30 | 1.00 | 0.29 | 150');
});

test.each([
  ['0-15', 4, '0,1,2,3'],
  ['2-3,8,10-11', 3, '2,3,8'],
  ['0-1', 2, undefined],
  ['0', 16, undefined],
])('of processors %s the first %d', (list, count, expected) => {
  expect(
    firstProcessors(`Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`, count),
  ).toBe(expected);
});
