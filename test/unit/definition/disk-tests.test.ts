import { expect, test } from 'vitest';
import { type DiskTest, diskTestsSchema } from '../../../src/definition/disk-tests.ts';

const problems = (given: object): string[] =>
  diskTestsSchema.safeParse({ boots: given }).error?.issues.map(({ message }) => message) ?? [];

test('a test of a disk waits ten minutes for a machine of 1 GiB and two processors', () => {
  const parsed: Record<string, DiskTest> = diskTestsSchema.parse({ boots: { prompt: true } });
  expect(parsed).toEqual({
    boots: {
      console: [],
      never: [],
      prompt: true,
      commands: [],
      login: { user: 'root', password: null },
      port: null,
      memoryMiB: 1024,
      cpus: 2,
      diskGiB: null,
      timeout: 600,
    },
  });
});

test.each([
  ['patterns', { console: [{ contains: 'ready' }, { matches: '^up [0-9]+' }], never: [{ contains: 'Kernel panic' }] }],
  ['a command with its output', { commands: [{ command: ['uname', '-r'], output: { matches: '^6' } }] }],
  ['a port', { port: { number: 22, text: null } }],
  ['a larger disk', { prompt: true, diskGiB: 8 }],
])('takes %s', (_what, given) => {
  expect(problems(given)).toEqual([]);
});

test.each([
  ['a test that shows nothing', { never: [{ contains: 'panic' }] }, 'a test of a disk needs console'],
  ['a console as a whole', { console: [{ equals: 'ready' }] }, 'a console goes on'],
  ['an expression that is none', { console: [{ matches: '(' }] }, 'expected a regular expression'],
  ['no program', { commands: [{ command: [] }] }, 'Too small'],
  ['a strange account', { prompt: true, login: { user: 'root\n' } }, 'expected the name of an account'],
  ['half a day', { prompt: true, timeout: 43_200 }, 'Too big'],
])('refuses %s', (_what, given, message) => {
  const said = problems(given);
  expect(
    said.some((line) => line.startsWith(message)),
    said.join('\n'),
  ).toBe(true);
});
