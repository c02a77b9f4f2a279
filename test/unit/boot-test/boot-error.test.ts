import { expect, test } from 'vitest';
import { bootError } from '../../../src/boot-test/report.ts';
import { lastLines, NO_TEST_RUN, type TestRun } from '../../../src/test-run/test-run.ts';

const CONSOLE = Array.from({ length: 1000 }, (_, at) => `line ${at}`).join('\n');

const RUN: TestRun = {
  ...NO_TEST_RUN,
  tests: [
    {
      ...{ name: 'boots', passed: false, milliseconds: 1000 },
      failure: {
        ...{ command: 'booting the disk', expected: '"READY" on the console', got: 'none within 1 s' },
        output: lastLines(CONSOLE),
      },
    },
  ],
};

test('a disk that never says what is waited for is told with the last lines of its console', () => {
  const { message } = bootError('vm', RUN, { consoles: null, areOwn: true });
  expect(message).toContain('expected: "READY" on the console\n  got:      none within 1 s');
  expect(message.split('\n').at(-1)).toMatch(/^ +line 999$/);
  expect(message).not.toContain('line 10\n');
});

test.each([
  [null, true, 'With --consoles FOLDER each is kept as a file. --boot-with none leaves the tests of disks out.'],
  ['out', false, 'They are in out.'],
])('its hint says where all of it is, and of tests of its own how to do without', (consoles, areOwn, end) => {
  expect(bootError('vm', RUN, { consoles, areOwn }).hint).toBe(`What is shown is the end of each console. ${end}`);
});
