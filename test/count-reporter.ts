import type { Reporter, TestModule } from 'vitest/node';

/** What took longest is printed, so many of it: the suite has a time to keep to. */
const SLOWEST = 10;

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`.padStart(8);

/** Files with their set-up, which no test's own time shows. */
function slowest(modules: readonly TestModule[]): string[] {
  const files = modules.map((module) => ({
    name: module.relativeModuleId,
    // A hook's time is part of the file's, not of a test's.
    time: module.diagnostic().duration,
  }));
  return files
    .sort((a, b) => b.time - a.time)
    .slice(0, SLOWEST)
    .map(({ name, time }) => `${seconds(time)}  ${name}`);
}

/** Prints the slowest files and, alone on the last line, the totals as the runner counted them: `N passed, N failed[, N skipped]`. */
export default class CountReporter implements Reporter {
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
    const slow = modules.length > SLOWEST ? `slowest files, set-up included:\n${slowest(modules).join('\n')}\n\n` : '';
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    // After the default reporter's own summary, which is written in the same tick.
    process.on('exit', () => process.stdout.write(`${slow}${count.passed} passed, ${count.failed} failed${skipped}\n`));
  }
}
