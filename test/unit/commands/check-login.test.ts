import { expect, test } from 'vitest';
import { checkLogin } from '../../../src/commands/check-login.ts';
import { UserError } from '../../../src/core/error.ts';
import type { Repository } from '../../../src/storage/destination.ts';
import { failureOf } from '../../../src/storage/registry/failure.ts';

const repository = { name: 'docker://registry.example/app' } as Repository;

const answering = (status: number) => async () => {
  const response = new Response('', { status });
  throw await failureOf({
    response,
    method: 'GET',
    url: new URL('https://registry.example/v2/'),
    tried: { origin: 'a file' },
  });
};

const LOGIN = { hasCredentials: async () => true };
const NO_LOGIN = { hasCredentials: async () => false };

test('a login that is refused is told before anything is built', async () => {
  await expect(checkLogin([{ repository, tags: ['v1'] }], answering(401), LOGIN)).rejects.toThrow('answered 401');
});

test('so is a refusal where there is no login at all', async () => {
  await expect(checkLogin([{ repository, tags: ['v1'] }], answering(403), NO_LOGIN)).rejects.toThrow('answered 403');
});

test.each([
  403, 404, 500,
])('status %i may mean that there is nothing yet, and is left to the publish', async (status) => {
  await expect(checkLogin([{ repository, tags: ['v1'] }], answering(status), LOGIN)).resolves.toBeUndefined();
});

test('a login that could not be had is told, too, and what has nothing to do with logins is not', async () => {
  const failing = (code: 'credentials' | 'registry') => async () => {
    throw new UserError(code, 'cannot assume the role', {});
  };
  const check = (code: 'credentials' | 'registry') => checkLogin([{ repository, tags: ['v1'] }], failing(code), LOGIN);
  await expect(check('credentials')).rejects.toThrow('cannot assume the role');
  await expect(check('registry')).resolves.toBeUndefined();
});

test('one tag of each place is asked for, and none where none is moved', async () => {
  const asked: string[] = [];
  const read = async (_source: unknown, tag: string) => void asked.push(tag);
  await checkLogin(
    [
      { repository, tags: ['v1', 'latest'] },
      { repository, tags: [] },
    ],
    read,
    NO_LOGIN,
  );
  expect(asked).toEqual(['v1']);
});
