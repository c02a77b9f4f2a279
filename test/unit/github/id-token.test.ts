import { describe, expect, onTestFinished, test } from 'vitest';
import { idTokens, mayAskIdToken } from '../../../src/github/id-token.ts';
import { ISSUER, type IssuerOptions, SUBJECT, startIssuer } from '../../emulators/oidc/issuer.ts';
import { memoryLog } from '../../support/memory-log.ts';

const clock = { now: Date.now, sleep: async () => undefined, random: () => 0 };

const open = async (options: IssuerOptions = {}, change: Readonly<Record<string, string | undefined>> = {}) => {
  const issuer = await startIssuer(options);
  onTestFinished(() => issuer.stop());
  const log = memoryLog();
  const variables: Readonly<Record<string, string | undefined>> = { ...issuer.environment, ...change };
  const env = (name: string) => variables[name];
  const world = { fetch, log, clock, signal: new AbortController().signal };
  return { issuer, log, env, world };
};

test('a token is asked for by its audience, and masked before it is used', async () => {
  const { issuer, log, env, world } = await open();
  const token = await idTokens(env, world)('https://iam.googleapis.com/projects/1 & more');
  expect(token).toMatchObject({ issuer: ISSUER, subject: SUBJECT });
  expect(issuer.verify(token.value)?.aud).toBe('https://iam.googleapis.com/projects/1 & more');
  expect(issuer.verify(issuer.forge('x'))).toBeUndefined();
  expect(log.masked).toEqual(expect.arrayContaining([token.value, issuer.environment.ACTIONS_ID_TOKEN_REQUEST_TOKEN]));
});

test('GitHub is asked again while it is busy', async () => {
  const { issuer, env, world } = await open({ unavailable: 3 });
  expect((await idTokens(env, world)('sts.amazonaws.com')).subject).toBe(SUBJECT);
  expect(issuer.audiences).toEqual(['sts.amazonaws.com']);
});

test.each([
  ['without an address', 'ACTIONS_ID_TOKEN_REQUEST_URL'],
  ['without a token to ask with', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'],
])('%s the line to add is said, before anything is asked', async (_name, variable) => {
  const { issuer, env, world } = await open({}, { [variable]: undefined });
  expect(mayAskIdToken(env)).toBe(false);
  expect(() => idTokens(env, world)).toThrow(
    expect.objectContaining({ code: 'credentials', hint: expect.stringContaining('Add the line `id-token: write`') }),
  );
  expect(issuer.audiences).toEqual([]);
});

describe('GitHub', () => {
  test.each<[string, IssuerOptions, string]>([
    ['that refuses is quoted', { refuses: 403 }, 'it answered 403 {"message":"the job does not run any more"}'],
    ['that is busy for good is quoted', { unavailable: 99 }, 'it answered 503'],
    ['that answers with something else is not', { value: 'secret-but-no-token' }, 'what is not an ID token'],
  ])('%s', async (_name, options, message) => {
    const { env, world } = await open(options);
    const asked = idTokens(env, world)('sts.amazonaws.com');
    await expect(asked).rejects.toMatchObject({ code: 'credentials', message: expect.stringContaining(message) });
    await expect(asked).rejects.not.toThrow('secret-but-no-token');
  });
});
