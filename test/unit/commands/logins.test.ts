import { describe, expect, test } from 'vitest';
import { checkNamed, type LoginInputs, loginSources } from '../../../src/commands/logins.ts';
import { parseLocationTemplate } from '../../../src/storage/location-template.ts';
import { createKeychain } from '../../../src/storage/registry/auth/keychain.ts';
import { memoryLog } from '../../support/memory-log.ts';

const open = (inputs: LoginInputs, actor?: string) => {
  const log = memoryLog();
  const env = (name: string) => (name === 'GITHUB_ACTOR' ? actor : undefined);
  const configs = loginSources(inputs, { env, log });
  const exec = () => Promise.reject(new Error('no helper is called'));
  return { log, keychain: createKeychain({ configs, exec, log }) };
};

const to = (...places: string[]) => places.map(parseLocationTemplate);
const PASSWORD = 'pass word:1';

describe('a user name and a password', () => {
  test.each<[string, LoginInputs, string]>([
    [
      'are for the registry that is named',
      { registry: 'registry.example.com', username: 'ann' },
      'registry.example.com',
    ],
    ['are for the registry of the destination', { username: 'ann', to: to('docker.io/acme/{name}') }, 'docker.io'],
    ['of several destinations at one registry', { username: 'ann', to: to('quay.io/a/x', 'quay.io/b/x') }, 'quay.io'],
  ])('%s', async (_name, inputs, registry) => {
    const { keychain } = open({ ...inputs, password: PASSWORD });
    expect(await keychain.find(registry, 'acme/app')).toMatchObject({ username: 'ann', password: PASSWORD });
    for (const other of ['ghcr.io', 'example.org']) {
      expect(await keychain.find(other, 'acme/app')).toMatchObject({ kind: 'anonymous' });
    }
  });

  test('whoever started the run logs in to ghcr.io, and to no other registry', async () => {
    const { keychain } = open({ password: PASSWORD, to: to('ghcr.io/org/{name}') }, 'octocat');
    expect(await keychain.find('ghcr.io', 'org/app')).toMatchObject({ username: 'octocat' });
    expect(() => open({ password: PASSWORD, to: to('quay.io/org/{name}') }, 'octocat')).toThrow(
      'missing user name for quay.io: only a password was given',
    );
  });

  test('is never sent to a registry that was guessed', () => {
    expect(() => open({ password: PASSWORD, username: 'ann', to: to('quay.io/a/x', 'docker.io/a/x') })).toThrow(
      'several registries (quay.io, docker.io)',
    );
    expect(() => open({ password: PASSWORD, username: 'ann' })).toThrow('no registry');
  });
});

describe('logins for several registries', () => {
  test.each([
    ['lines', `\n docker.io ann ${PASSWORD}\nREGISTRY.example.com:5000 bob s3cret-token \n`],
    [
      'JSON',
      JSON.stringify({
        credsStore: 'evil',
        auths: {
          'docker.io': { username: 'ann', password: PASSWORD },
          'registry.example.com:5000': { auth: Buffer.from('bob:s3cret-token').toString('base64') },
        },
      }),
    ],
  ])('as %s', async (_name, registryAuth) => {
    const { keychain, log } = open({ registryAuth });
    expect(await keychain.find('docker.io', 'acme/app')).toMatchObject({ username: 'ann', password: PASSWORD });
    const other = await keychain.find('registry.example.com:5000', 'app');
    expect(other).toMatchObject({ username: 'bob', password: 's3cret-token' });
    expect(log.masked).toEqual(expect.arrayContaining([PASSWORD, 's3cret-token']));
  });

  test.each([
    ['docker.io ann', 'line 1 is not a login'],
    ['ghcr.io ann token-1\nnonsense s3cret', 'line 2 is not a login'],
    ['{"auths": 3}', 'does not have the shape'],
    ['{"s3cret', 'does not have the shape'],
  ])('%j is refused, and not quoted', (registryAuth, message) => {
    const fails = () => open({ registryAuth });
    expect(fails).toThrow(message);
    expect(fails).not.toThrow('s3cret');
  });
});

test.each([
  ['nothing', {}],
  ['an empty password', { username: 'ann', password: '' }],
])('an entry that holds %s is refused before anything is built, with where docker keeps the password', (_name, entry) => {
  const registryAuth = JSON.stringify({ auths: { 'ghcr.io': entry }, credsStore: 'desktop' });
  expect(() => open({ registryAuth })).toThrow(
    expect.objectContaining({
      message: 'registry-auth: the entry for ghcr.io has no password',
      hint: expect.stringMatching(/credsStore or credHelpers.*Write REGISTRY USERNAME PASSWORD/),
    }),
  );
});

test('helpers of a config.json are not run, which is said; its tokens are masked too', async () => {
  const auths = { 'docker.io': { identitytoken: 'identity-1' }, 'quay.io': { registrytoken: 'registry-1' } };
  const registryAuth = JSON.stringify({ auths, credHelpers: { 'public.ecr.aws': 'ecr-login' } });
  const { log, keychain } = open({ registryAuth });
  expect(log.lines).toEqual(['registry-auth: credHelpers are not used: missing login for public.ecr.aws']);
  expect(log.masked).toEqual(expect.arrayContaining(['identity-1', 'registry-1']));
  expect(await keychain.find('docker.io', 'acme/app')).toMatchObject({ kind: 'identity', token: 'identity-1' });
  expect(await keychain.find('public.ecr.aws', 'acme/app')).toMatchObject({ kind: 'anonymous' });
});

test('a registry that is named has a login, but for ghcr.io and for runs without secrets', () => {
  expect(() => checkNamed('registry.example.com', false, true)).toThrow('missing password for registry.example.com');
  expect(() => checkNamed(undefined, false, true)).not.toThrow();
  expect(() => checkNamed('ghcr.io', false, true)).not.toThrow();
  expect(() => checkNamed('registry.example.com', true, true)).not.toThrow();
  expect(() => checkNamed('registry.example.com', false, false)).not.toThrow();
});
