import { describe, expect, test } from 'vitest';
import { recordText, trialError, trialSummary, trialText } from '../../../src/test-run/report.ts';
import {
  NOTHING_TO_TRY,
  recordOf,
  type TestResult,
  type Trial,
  trialRecordSchema,
} from '../../../src/test-run/trial.ts';

const good: TestResult = { name: 'version', passed: true, milliseconds: 412, failure: null };
const bad: TestResult = {
  name: 'answers',
  passed: false,
  milliseconds: 5031,
  failure: { command: 'serve', expected: 'exit code 0', got: 'exit code 3', output: 'no config\nbye' },
};
const run = (...tests: TestResult[]): Trial => ({ runtime: 'podman 5.4.2', notRun: null, tests, skipped: [] });
const notRun: Trial = { runtime: null, notRun: 'they are switched off', tests: [], skipped: ['version'] };

test.each([
  ['nothing to try', NOTHING_TO_TRY, ''],
  ['not run', notRun, 'tests: not run (they are switched off)'],
  ['all passed', run(good, good), 'tests: 2 of 2 passed, with podman 5.4.2'],
  ['one failed', run(good, bad), 'tests: 1 of 2 passed, with podman 5.4.2'],
])('one line: %s', (_name, trial, expected) => {
  expect(trialText(trial)).toBe(expected);
});

test('the summary is a table', () => {
  expect(trialSummary(run(good, bad))).toBe(
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
  expect(trialSummary(notRun)).toBe('tests: not run (they are switched off)\n');
  expect(trialSummary(NOTHING_TO_TRY)).toBe('');
});

test('the error has the command, what was expected and what came, and the last output', () => {
  const error = trialError('team/app', run(good, bad));
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
    ['nothing to try', NOTHING_TO_TRY],
    ['not run', notRun],
    ['passed', run(good, good)],
  ])('%s: comes back and says the same', (_name, trial) => {
    const record = trialRecordSchema.parse(JSON.parse(JSON.stringify(recordOf(trial))));
    expect(record).toEqual(recordOf(trial));
    expect(recordText(record)).toBe(trialText(trial));
  });

  const record = recordOf(run(good));
  test.each([
    ['Markdown for a program', { ...record, runtime: 'podman [5](https://example.org)' }],
    ['a second line', { ...record, notRun: 'no podman\n# Published' }],
    ['an endless reason', { ...record, notRun: 'x'.repeat(201) }],
    ['a table row for a name', { ...record, passed: [{ name: 'a | b', milliseconds: 1 }] }],
    ['a time that is none', { ...record, passed: [{ name: 'a', milliseconds: -1 }] }],
    ['a list that is none', { ...record, skipped: 'a' }],
  ])('refuses %s', (_name, spoilt) => {
    expect(trialRecordSchema.safeParse(spoilt).success).toBe(false);
  });
});
