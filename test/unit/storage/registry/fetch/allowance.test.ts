import { expect, test } from 'vitest';
import { Allowance } from '../../../../../src/storage/registry/fetch/allowance.ts';
import { memoryLog } from '../../../../support/memory-log.ts';

const told = (host: string, ...answers: readonly Readonly<Record<string, string>>[]): readonly string[] => {
  const log = memoryLog();
  const allowance = new Allowance(host);
  for (const answer of answers) allowance.heed({ headers: new Headers(answer) }, log);
  return log.lines;
};

const left = (limit: string, remaining: string) => ({ 'ratelimit-limit': limit, 'ratelimit-remaining': remaining });

test('the last tenth is told once, by the name that people log in to', () => {
  const lines = told(
    'registry-1.docker.io',
    left('100;w=21600', '11;w=21600'),
    left('100;w=21600', '10;w=21600'),
    {},
    left('100;w=21600', '9;w=21600'),
  );
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('docker.io allows 10 more pulls of 100 in 6 h');
  expect(lines[0]).not.toContain('registry-1');
});

test.each([
  ['no headers', {}],
  ['one of them', { 'ratelimit-remaining': '1' }],
  ['no numbers', left('many', 'few')],
  ['much left', left('200;w=21600', '150;w=21600')],
])('nothing is told of %s', (_name, answer) => {
  expect(told('docker.io', answer)).toEqual([]);
});

test('a limit without a window has no time', () => {
  expect(told('quay.io', left('50', '2'))[0]).toContain('quay.io allows 2 more pulls of 50: log in');
});
