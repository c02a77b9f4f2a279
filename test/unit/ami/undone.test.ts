import { expect, test } from 'vitest';
import { undoneOf } from '../../../src/ami/undone.ts';

test('what was tried is taken back, was gone before, or is left, and each is told once', () => {
  const at = { time: 0, region: 'us-east-1' };
  const other = 'parameter /app: back to ami-0';
  const tried = ['AMI ami-1', 'AMI ami-2', 'snapshot snap-1', 'parameter /a: back to nothing', other];
  const entries = [...tried, 'AMI ami-1'].map((what) => ({ event: 'undo', ...at, what }) as const);
  const gone = { event: 'gone', ...at, what: 'AMI ami-2' } as const;
  const left = [{ region: 'us-east-1', what: 'parameter /a', why: 'it is not allowed', commands: [] }];
  expect(undoneOf([...entries, gone], left)).toEqual({
    undone: ['AMI ami-1', 'snapshot snap-1', other].map((what) => ({ region: 'us-east-1', what })),
    gone: [{ region: 'us-east-1', what: 'AMI ami-2' }],
  });
});
