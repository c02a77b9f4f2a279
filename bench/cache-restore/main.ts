// Compares ways to restore a cache: see README.md.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { quietLog } from '../../test/support/quiet-log.ts';
import { makeClosure } from './closure.ts';
import { compileServers, DESIGNS, type Design, type Restored, restoreBy } from './designs.ts';
import { saveClosure } from './save.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, runs: { type: 'string' } } });
const runs = Number(values.runs ?? (values.quick ? 1 : 3));
const scale = values.quick ? 0.1 : 1;

const say = (line: string): void => console.error(`cache-restore: ${line}`);
const log = quietLog(say);

const work = join(import.meta.dirname, '../../out/bench/cache-restore');
await mkdir(work, { recursive: true });
const closure = await makeClosure(work, scale, say);
const cache = join(work, 'cache');
await rm(cache, { recursive: true, force: true });
const packing = join(work, 'packing');
await mkdir(packing, { recursive: true });

const first = await saveClosure(closure, { cache, folder: packing, run: '1', log });
const second = await saveClosure(closure, { cache, folder: packing, run: '2', log });

const restores = await mkdtemp(join(work, 'restores-'));
await compileServers({ closure, cache, work: restores });
const results = new Map<Design, Restored[]>(DESIGNS.map((design) => [design, []]));
for (let run = 0; run < runs; run++) {
  for (const design of DESIGNS) {
    const restored = await restoreBy(design, { closure, cache, work: restores });
    say(`${design}: ${restored.seconds.toFixed(1)} s`);
    results.get(design)?.push(restored);
  }
}
// Folders of a store may not be written to.
await execa('chmod', ['-R', 'u+w', restores]);
await rm(restores, { recursive: true });

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;
const secondsOf = (design: Design): number => median((results.get(design) ?? []).map(({ seconds }) => seconds));
const packs = secondsOf('packs');
const ratio = (design: Design): number => secondsOf(design) / packs;
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);

console.log('| design | seconds, median | against packs | control calls | blobs | MB |\n|---|---|---|---|---|---|');
for (const design of DESIGNS) {
  const { calls, blobs, bytes } = results.get(design)?.[0]?.counts ?? { calls: 0, blobs: 0, bytes: 0 };
  const cells = [design, secondsOf(design).toFixed(1), `${ratio(design).toFixed(2)}x`, calls, blobs, megabytes(bytes)];
  console.log(`| ${cells.join(' | ')} |`);
}
const saveSeconds = (first.seconds * 300e6) / first.bytes;
console.log(
  `\nsaving: ${first.uploads} uploads of ${megabytes(first.bytes)} MB in ${first.seconds.toFixed(1)} s ` +
    `(${saveSeconds.toFixed(1)} s for 300 MB); again: ${second.uploads} uploads in ${second.seconds.toFixed(1)} s`,
);

const peak = Math.max(...(results.get('packs') ?? []).map(({ counts }) => counts.peak ?? Number.NaN));
console.log(`memory of the server at its peak: ${megabytes(peak)} MB`);

const targets: readonly (readonly [string, boolean])[] = [
  ['twice as fast as entries that are asked first', ratio('entries, asked first') >= 2],
  ['four times as fast as the tarball', ratio('tarball') >= 4],
  ['at most 8 uploads', first.uploads <= 8],
  ['under 20 s for 300 MB', saveSeconds < 20],
  ['nothing to upload the second time', second.uploads === 0],
  ['under 200 MB of memory', peak < 200e6],
];
for (const [target, isMet] of targets) console.log(`${isMet ? 'met' : 'MISSED'}: ${target}`);
if (targets.some(([, isMet]) => !isMet)) process.exitCode = 1;
