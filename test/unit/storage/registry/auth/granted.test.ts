import { expect, test } from 'vitest';
import { grantsAll } from '../../../../../src/storage/registry/auth/granted.ts';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = (claims: unknown): string => `${encode({ alg: 'RS256' })}.${encode(claims)}.signature`;
const repository = (actions: unknown, name = 'team/app') => token({ access: [{ type: 'repository', name, actions }] });
const WRITE = ['repository:team/app:pull,push'];

test.each<[string, string, boolean | undefined]>([
  ['both actions', repository(['pull', 'push']), true],
  ['every action', repository(['*']), true],
  ['more than that', repository(['delete', 'push', 'pull']), true],
  ['reading alone', repository(['pull']), false],
  ['nothing', repository([]), false],
  ['nothing, as Go writes it', repository(null), false],
  ['another repository', repository(['pull', 'push'], 'team/other'), false],
  ['no access at all', token({ access: [] }), false],
  ['nothing of access', token({ scp: 'all' }), undefined],
  ['access of another shape', token({ access: 'all' }), undefined],
  ['something that is no JSON', 'a.b.c', undefined],
  ['something that is no token with parts', 'djE6b3JnL2FwcDoxNzAw', undefined],
])('a token that tells of %s', (_name, given, granted) => {
  expect(grantsAll(given, WRITE)).toBe(granted);
});
