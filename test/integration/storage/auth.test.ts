import { afterEach, describe, expect, it } from 'vitest';
import { parseReference } from '../../../src/oci/reference.ts';
import { copyManifestTree } from '../../../src/storage/copy.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import type { Credential } from '../../../src/storage/registry/auth/credential.ts';
import type { AuthOptions } from '../../emulators/registry/auth.ts';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { blobOf, putIndex, testDeps } from './kit.ts';

let running: RegistryEmulator | undefined;

afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const BOB: Credential = {
  kind: 'basic',
  username: 'bob',
  password: 'secret',
  origin: 'the entry for h in /config.json, user bob',
};
const USERS = { bob: 'secret' };

const start = async (auth: AuthOptions, credential: Credential) => {
  const emulator = await startEmulator({ auth });
  running = emulator;
  const deps = testDeps({ keychain: { find: async () => credential } });
  const open = (mode: 'read' | 'write', name = 'org/app') =>
    openRegistry(parseReference(`${emulator.host}/${name}`), mode, deps);
  return { emulator, deps, open };
};

describe('a push works', () => {
  it.each<[string, AuthOptions, Credential]>([
    ['with basic auth', { scheme: 'basic', users: USERS }, BOB],
    ['with a token', { scheme: 'token', users: USERS }, BOB],
    ['with a token called access_token', { scheme: 'token', users: USERS, accessTokenField: true }, BOB],
    [
      'with an identity token',
      { scheme: 'token', identityTokens: ['idt'] },
      { kind: 'identity', token: 'idt', origin: 'a test' },
    ],
  ])('%s', async (_name, auth, credential) => {
    const { emulator, open, deps } = await start(auth, credential);
    const index = await putIndex(open('write'), '1.0');
    expect((await open('read').getManifest('1.0'))?.digest).toBe(index.digest);
    // One request learns the scheme; from then on no answer is a 401.
    const repositories = 2;
    expect(emulator.requests.filter(({ status }) => status === 401)).toHaveLength(repositories);
    for (const { headers } of emulator.requests) {
      const secret = headers.authorization?.split(' ')[1];
      if (secret !== undefined) expect(deps.log.masked).toContain(secret);
    }
  });
});

it('many requests at once ask for one token', async () => {
  const { emulator, open } = await start({ scheme: 'token', users: USERS }, BOB);
  const repository = open('write');
  await Promise.all(Array.from({ length: 40 }, (_, n) => repository.hasBlob(blobOf(Buffer.from(String(n))))));
  expect(emulator.trace().filter((line) => line === 'GET /token')).toHaveLength(1);
});

it('everybody may read where the registry allows it', async () => {
  const { emulator, open } = await start(
    { scheme: 'token', users: USERS, anonymousPull: true },
    { kind: 'anonymous', origin: 'none: no login for this registry was found' },
  );
  expect(await open('read').getManifest('1.0')).toBeUndefined();
  const asked = emulator.requests.find(({ path }) => path === '/token');
  expect(asked?.headers.authorization).toBeUndefined();
  expect(new URLSearchParams(asked?.query).get('scope')).toBe('repository:org/app:pull');
});

describe('a refusal names the credential that was tried', () => {
  const wrong: Credential = { ...BOB, password: 'guess' } as Credential;
  const anonymous: Credential = { kind: 'anonymous', origin: 'none: no login for this registry was found' };
  it.each<[string, AuthOptions, Credential, string]>([
    ['a wrong password, basic', { scheme: 'basic', users: USERS }, wrong, '/config.json, user bob'],
    ['a wrong password, token', { scheme: 'token', users: USERS }, wrong, '/config.json, user bob'],
    ['nobody', { scheme: 'basic', users: USERS }, anonymous, 'none: no login for this registry was found'],
    [
      'a reader that writes',
      { scheme: 'token', users: USERS, anonymousPull: true },
      anonymous,
      'none: no login for this registry was found',
    ],
    [
      'an identity token that ended',
      { scheme: 'token', identityTokens: [] },
      { kind: 'identity', token: 'old', origin: 'a helper' },
      'a helper',
    ],
  ])('%s', async (_name, auth, credential, part) => {
    const { open } = await start(auth, credential);
    const error = await putIndex(open('write'), '1.0').catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'credentials',
      message: expect.stringContaining(part),
      hint: expect.stringContaining('Log in'),
    });
    expect((error as Error).message).not.toMatch(/guess|old/);
  });

  it('403', async () => {
    const { emulator, open } = await start({ scheme: 'none' }, BOB);
    const body = JSON.stringify({ errors: [{ code: 'DENIED', message: 'not yours' }] });
    emulator.inject({ method: 'GET', path: /manifests/, kind: 'status', status: 403, body });
    await expect(open('read').getManifest('1.0')).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('DENIED: not yours'),
      hint: expect.stringContaining('push'),
    });
  });
});

it('credentials are not sent to a token server in the clear', async () => {
  const { open } = await start({ scheme: 'token', users: USERS, realm: 'http://tokens.example/token' }, BOB);
  await expect(open('read').getManifest('1.0')).rejects.toMatchObject({
    code: 'registry',
    message: expect.stringContaining('http://tokens.example/token'),
  });
});

it('a tree is mounted from another repository with both rights', async () => {
  const { open } = await start({ scheme: 'token', users: USERS }, BOB);
  const [from, to] = [open('write', 'org/base'), open('write', 'org/copy')];
  const index = await putIndex(from, '1.0');
  await copyManifestTree('1.0', from, [to]);
  expect(to.bytesSent).toBe(0);
  expect((await to.getManifest(index.digest))?.digest).toBe(index.digest);
});
