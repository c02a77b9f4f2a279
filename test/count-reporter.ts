import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';
import { SLOW_FILES } from './longest-first.ts';

/** What took longest is printed, so many of it: the suite has a time to keep to. */
const SLOWEST = 10;

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`.padStart(8);

/** Seconds from which a file is in the table of slow ones; below, the order of the files hardly changes when a run ends. */
const SLOW = 2;

interface Timed {
  readonly name: string;
  /** Milliseconds. */
  readonly time: number;
}

/** Files with their set-up, which no test's own time shows, the slowest first. */
const timed = (modules: readonly TestModule[]): Timed[] =>
  modules
    // A hook's time is part of the file's, not of a test's.
    .map((module) => ({ name: module.relativeModuleId, time: module.diagnostic().duration }))
    .sort((a, b) => b.time - a.time);

const slowest = (files: readonly Timed[]): string[] =>
  files.slice(0, SLOWEST).map(({ name, time }) => `${seconds(time)}  ${name}`);

const writeSlowFiles = (files: readonly Timed[]): void => {
  const table = files.map(({ name, time }) => [name, Math.round(time / 1000)] as const);
  const slow = Object.fromEntries(table.filter(([, time]) => time >= SLOW));
  writeFileSync(SLOW_FILES, `${JSON.stringify(slow, null, 2)}\n`);
};

/** Prints the slowest files and, alone on the last line, the totals as the runner counted them: `N passed, N failed[, N skipped]`. */
export default class CountReporter implements Reporter {
  readonly #writes: boolean;

  /** `writes`: whether the table of slow files is written anew. */
  constructor({ writes }: { readonly writes: boolean }) {
    this.#writes = writes;
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<unknown>): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    for (const module of modules) {
      // A file that could not be loaded has no tests to count, and must not pass for that.
      if (module.state() === 'failed' && [...module.children.allTests('failed')].length === 0) count.failed += 1;
      for (const test of module.children.allTests()) {
        const state = test.result().state;
        if (state === 'passed' || state === 'failed') count[state] += 1;
        else count.skipped += 1;
      }
    }
    const files = timed(modules);
    if (this.#writes) writeSlowFiles(files);
    const slow = files.length > SLOWEST ? `slowest files, set-up included:\n${slowest(files).join('\n')}\n\n` : '';
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    // After the default reporter's own summary, which is written in the same tick.
    process.on('exit', () => process.stdout.write(`${slow}${count.passed} passed, ${count.failed} failed${skipped}\n`));
  }
}
