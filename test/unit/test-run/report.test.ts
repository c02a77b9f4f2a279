import { describe, expect, test } from 'vitest';
import { recordText, testError, testRunSummary, testRunText } from '../../../src/test-run/report.ts';
import {
  NO_TEST_RUN,
  type TestResult,
  type TestRun,
  testRecord,
  testRecordSchema,
} from '../../../src/test-run/test-run.ts';

const good: TestResult = { name: 'version', passed: true, milliseconds: 412, failure: null };
const bad: TestResult = {
  name: 'answers',
  passed: false,
  milliseconds: 5031,
  failure: { command: 'serve', expected: 'exit code 0', got: 'exit code 3', output: 'no config\nbye' },
};
const run = (...tests: TestResult[]): TestRun => ({ runtime: 'podman 5.4.2', notRun: null, tests, skipped: [] });
const notRun: TestRun = { runtime: null, notRun: 'they are switched off', tests: [], skipped: ['version'] };

test.each([
  ['nothing to try', NO_TEST_RUN, ''],
  ['not run', notRun, 'tests: not run (they are switched off)'],
  ['all passed', run(good, good), 'tests: 2 of 2 passed, with podman 5.4.2'],
  ['one failed', run(good, bad), 'tests: 1 of 2 passed, with podman 5.4.2'],
])('one line: %s', (_name, testRun, expected) => {
  expect(testRunText(testRun)).toBe(expected);
});

test('the summary is a table', () => {
  expect(testRunSummary(run(good, bad))).toBe(
    [
      '| test | result | seconds |',
      '| --- | --- | --- |',
      '| version | passed | 0.4 |',
      '| answers | **failed** | 5.0 |',
      '',
      'tests: 1 of 2 passed, with podman 5.4.2',
      '',
    ].join('\n'),
  );
  expect(testRunSummary(notRun)).toBe('tests: not run (they are switched off)\n');
  expect(testRunSummary(NO_TEST_RUN)).toBe('');
});

test('the error has the command, what was expected and what came, and the last output', () => {
  const error = testError('team/app', run(good, bad));
  expect(error.code).toBe('test');
  expect(error.message).toBe(
    [
      'team/app: 1 of 2 tests failed',
      'the test answers failed',
      '  command:  serve',
      '  expected: exit code 0',
      '  got:      exit code 3',
      '  its last output:',
      '    no config',
      '    bye',
    ].join('\n'),
  );
  expect(error.hint).toContain('--test-with none');
});

describe('what a handover keeps', () => {
  test.each([
    ['nothing to try', NO_TEST_RUN],
    ['not run', notRun],
    ['passed', run(good, good)],
  ])('%s: comes back and says the same', (_name, testRun) => {
    const record = testRecordSchema.parse(JSON.parse(JSON.stringify(testRecord(testRun))));
    expect(record).toEqual(testRecord(testRun));
    expect(recordText(record)).toBe(testRunText(testRun));
  });

  const record = testRecord(run(good));
  test.each([
    ['Markdown for a program', { ...record, runtime: 'podman [5](https://example.org)' }],
    ['a second line', { ...record, notRun: 'no podman\n# Published' }],
    ['an endless reason', { ...record, notRun: 'x'.repeat(201) }],
    ['a table row for a name', { ...record, passed: [{ name: 'a | b', milliseconds: 1 }] }],
    ['a time that is none', { ...record, passed: [{ name: 'a', milliseconds: -1 }] }],
    ['a list that is none', { ...record, skipped: 'a' }],
  ])('refuses %s', (_name, spoilt) => {
    expect(testRecordSchema.safeParse(spoilt).success).toBe(false);
  });
});
