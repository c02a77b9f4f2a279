import { expect, test } from 'vitest';
import { fileError } from '../../../src/core/file-error.ts';
import { lookUp } from '../../../src/core/lookup.ts';
import { accountFiles } from '../../../src/definition/accounts.ts';
import { readArguments } from '../../../src/host/argv.ts';
import { asUserError, describeFailure } from '../../../src/host/failure.ts';
import { parseChallenges } from '../../../src/storage/registry/auth/challenge.ts';
import { failureOf } from '../../../src/storage/registry/failure.ts';
import { testCommands } from '../host/commands.ts';

/** Names that every object has without anyone having written them. */
const INHERITED = ['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty'];

test.each(INHERITED)('%s is no key unless it is written', (name) => {
  expect(lookUp({ a: 1 }, name)).toBeUndefined();
  expect(lookUp(Object.fromEntries([[name, 1]]), name)).toBe(1);
});

test.each(INHERITED)("a registry's error code %s has no hint of its own", async (code) => {
  const body = JSON.stringify({ errors: [{ code, message: 'x' }] });
  const response = new Response(body, { status: 404 });
  const error = await failureOf({ response, method: 'GET', url: new URL('https://r.example/v2/') });
  expect(describeFailure(error)).toMatchObject({ hint: 'Check the registry, the name of the repository and the tag.' });
});

test.each(INHERITED)('a system error with the code %s is told as it is', (code) => {
  const error = Object.assign(new Error('x'), { code, syscall: 'open' });
  expect(asUserError(error)).toBe(error);
  expect(fileError(error, '/x', 'read')).toBe(error);
});

test.each(INHERITED)('--%s is an unknown flag', async (name) => {
  const command = await testCommands.everything?.();
  expect(() => command && readArguments(command, [`--${name}`])).toThrow(`unknown flag --${name}`);
});

test('users may have any name', () => {
  const user = { description: '', home: '/', shell: '/bin/sh' };
  const users = Object.fromEntries(INHERITED.slice(0, 2).map((name, at) => [name, { uid: 7, gid: 70 + at, ...user }]));
  const group = accountFiles(users, {})?.group;
  expect(group).toContain('constructor:x:70:\n__proto__:x:71:\n');
});

test('a challenge may have any parameter', () => {
  const [challenge] = parseChallenges('Bearer __proto__="a",constructor=b,realm="https://r"');
  expect(Object.entries(challenge?.parameters ?? {})).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['realm', 'https://r'],
  ]);
});
