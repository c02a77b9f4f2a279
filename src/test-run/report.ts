import { UserError } from '../core/error.ts';
import { markdownTable, plainMarkdown } from '../core/markdown.ts';
import { failedTests, secondsText, type TestFailure, type TestRecord, type TestRun } from './test-run.ts';

const indented = (text: string, by: string): string =>
  text
    .split('\n')
    .map((line) => `${by}${line}`)
    .join('\n');

const failureText = (name: string, { command, expected, got, output }: TestFailure): string =>
  [
    `the test ${name} failed`,
    `  command:  ${command}`,
    `  expected: ${expected}`,
    `  got:      ${got}`,
    ...(output === '' ? [] : ['  its last output:', indented(output, '    ')]),
  ].join('\n');

/** What an error says to do about failed tests, and where that is told. */
interface Advice {
  readonly hint: string;
  readonly docs: string;
}

/**
 * The error that ends a build whose tests failed: each with its command, what was expected and what came. `advice` is for
 * others than images.
 */
export function testError(image: string, testRun: TestRun, advice?: Advice): UserError {
  const failed = failedTests(testRun);
  const list = failed.map(({ name, failure }) => failureText(name, failure)).join('\n');
  const [tests, it] = failed.length === 1 ? ['test', 'it'] : ['tests', 'them'];
  return new UserError('test', `${image}: ${failed.length} of ${testRun.tests.length} tests failed\n${list}`, {
    hint: `Nothing was handed over. Fix the image or the ${tests}; --test-with none builds without ${it}.`,
    docs: 'tests.md#what-must-hold',
    ...advice,
  });
}

/** One line for a person: how many passed, or why none ran. Empty where the image declares none. */
export function testRunText({ runtime, notRun, tests }: TestRun): string {
  if (notRun !== null) return `tests: not run (${notRun})`;
  if (tests.length === 0) return '';
  const passed = tests.filter((test) => test.passed).length;
  return `tests: ${passed} of ${tests.length} passed, with ${runtime}`;
}

/** Markdown for a job's summary: a table of the tests; what failed is told by the error. Empty where there are none. */
export function testRunSummary(testRun: TestRun): string {
  const rows = testRun.tests.map(({ name, passed, milliseconds }) => [
    plainMarkdown(name),
    passed ? 'passed' : '**failed**',
    secondsText(milliseconds),
  ]);
  const table = rows.length > 0 ? `${markdownTable(['test', 'result', 'seconds'], rows)}\n` : '';
  const line = testRunText(testRun);
  return line === '' ? '' : `${table}${plainMarkdown(line)}\n`;
}

/** The same as data, for `--json`. */
export const testRunData = ({ runtime, notRun, tests }: TestRun) => ({ runtime, notRun, results: tests });

/** One line of what a handover says, as `testRunText` would say it. Empty where the image declares no tests. */
export const recordText = ({ runtime, notRun, passed, skipped }: TestRecord): string =>
  testRunText({
    runtime,
    notRun,
    skipped,
    tests: passed.map(({ name, milliseconds }) => ({ name, milliseconds, passed: true, failure: null })),
  });
