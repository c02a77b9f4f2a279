import { describe, expect, it } from 'vitest';
import { UserError } from '../../../../../src/core/error.ts';
import type { Exec } from '../../../../../src/core/exec.ts';
import { createKeychain } from '../../../../../src/storage/registry/auth/keychain.ts';
import { memoryLog } from '../../../../support/memory-log.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const missing = Object.assign(new Error('no such file'), { code: 'ENOENT' });

interface HelperCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly input: unknown;
}

const keychainOf = (
  files: Record<string, unknown>,
  answers: Record<string, { exitCode: number; stdout: string }> = {},
) => {
  const log = memoryLog();
  const calls: HelperCall[] = [];
  const exec: Exec = async (program, args, options) => {
    calls.push({ program, args, input: options?.input });
    const answer = answers[program];
    if (answer === undefined) throw new UserError('file', `${program} could not be started`);
    return { ...answer, stderr: '' };
  };
  const readFile = async (path: string): Promise<string> => {
    const content = files[path];
    if (content === undefined) throw missing;
    if (content instanceof Error) throw content;
    return typeof content === 'string' ? content : JSON.stringify(content);
  };
  return {
    log,
    calls,
    keychain: createKeychain({
      configs: ['/docker/config.json', '/podman/auth.json'].map((name) => ({ name, read: () => readFile(name) })),
      exec,
      log,
    }),
  };
};

const BOB = { auth: base64('bob:se:cret') };

describe('entries of files', () => {
  const basic = (key: string, file = '/docker/config.json') => ({
    kind: 'basic',
    username: 'bob',
    password: 'se:cret',
    origin: `the entry for ${key} in ${file}, user bob`,
  });
  it.each([
    ['the host', { auths: { 'ghcr.io': BOB } }, 'ghcr.io', basic('ghcr.io')],
    ['a URL', { auths: { 'https://ghcr.io/v2/': BOB } }, 'ghcr.io', basic('https://ghcr.io/v2/')],
    [
      'Docker Hub’s own key',
      { auths: { 'https://index.docker.io/v1/': BOB } },
      'docker.io',
      basic('https://index.docker.io/v1/'),
    ],
    [
      'a namespace before the host',
      { auths: { 'quay.io': { auth: base64('x:y') }, 'quay.io/org': BOB } },
      'quay.io',
      basic('quay.io/org'),
    ],
    ['the host with the port that is left out', { auths: { 'ghcr.io:443': BOB } }, 'ghcr.io', basic('ghcr.io:443')],
    ['the host without its port', { auths: { 'https://ghcr.io': BOB } }, 'ghcr.io:443', basic('https://ghcr.io')],
    ['a loopback host without port 80', { auths: { localhost: BOB } }, 'localhost:80', basic('localhost')],
    [
      'the host of another port',
      { auths: { 'h:80': BOB } },
      'h',
      { kind: 'anonymous', origin: 'none: no login for this registry was found' },
    ],
    ['user and password apart', { auths: { h: { username: 'bob', password: 'se:cret' } } }, 'h', basic('h')],
    [
      'an empty entry',
      { auths: { 'ghcr.io': {} } },
      'ghcr.io',
      { kind: 'anonymous', origin: 'none: no login for this registry was found' },
    ],
    [
      'another host',
      { auths: { 'ghcr.io': BOB } },
      'quay.io',
      { kind: 'anonymous', origin: 'none: no login for this registry was found' },
    ],
    [
      'an identity token',
      { auths: { h: { auth: base64('x:'), identitytoken: 'tok' } } },
      'h',
      { kind: 'identity', token: 'tok', origin: 'the entry for h in /docker/config.json' },
    ],
    [
      'a registry token',
      { auths: { h: { registrytoken: 'tok' } } },
      'h',
      { kind: 'bearer', token: 'tok', origin: 'the entry for h in /docker/config.json' },
    ],
  ])('under %s', async (_name, config, host, expected) => {
    const { keychain, log } = keychainOf({ '/docker/config.json': config });
    expect(await keychain.find(host, 'org/app')).toEqual(expected);
    if (expected.kind === 'basic') expect(log.masked).toContain('se:cret');
    if (expected.kind === 'identity') expect(log.masked).toContain('tok');
  });

  it('of podman come after those of docker', async () => {
    const { keychain } = keychainOf({ '/podman/auth.json': { auths: { h: BOB } } });
    expect(await keychain.find('h', 'a')).toEqual(basic('h', '/podman/auth.json'));
  });

  it.each([
    ['no JSON', 'secret{', 'not JSON'],
    ['another shape', { auths: [] }, 'auths'],
    ['no base64 of a pair', { auths: { h: { auth: base64('nocolon') } } }, 'user:password'],
    ['no permission', Object.assign(new Error('x'), { code: 'EACCES' }), 'EACCES'],
  ])('with %s are told with the file, not its content', async (_name, content, part) => {
    const error = await keychainOf({ '/docker/config.json': content })
      .keychain.find('h', 'a')
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'credentials', message: expect.stringContaining(part) });
    expect((error as Error).message).toContain('/docker/config.json');
    expect((error as Error).message).not.toContain('secret');
  });
});

describe('helpers', () => {
  const answer = (Username: string) => ({
    exitCode: 0,
    stdout: JSON.stringify({ ServerURL: 'x', Username, Secret: 'hush' }),
  });
  const config = { credHelpers: { 'ghcr.io': 'one' }, credsStore: 'two', auths: { 'ghcr.io': BOB, 'quay.io': BOB } };

  it.each([
    ['ghcr.io', 'docker-credential-one', 'ghcr.io'],
    ['quay.io', 'docker-credential-two', 'quay.io'],
    ['docker.io', 'docker-credential-two', 'https://index.docker.io/v1/'],
  ])('for %s: %s', async (host, program, input) => {
    const { keychain, calls, log } = keychainOf({ '/docker/config.json': config }, { [program]: answer('ann') });
    expect(await keychain.find(host, 'a')).toMatchObject({
      kind: 'basic',
      username: 'ann',
      password: 'hush',
      origin: expect.stringContaining(program),
    });
    expect(calls).toEqual([{ program, args: ['get'], input }]);
    expect(log.masked).toEqual(['hush']);
  });

  it('are asked for the name that was logged in to', async () => {
    const stored = { credsStore: 'two', auths: { 'quay.io:443': {} } };
    const { keychain, calls } = keychainOf(
      { '/docker/config.json': stored },
      { 'docker-credential-two': answer('ann') },
    );
    expect(await keychain.find('quay.io', 'a')).toMatchObject({ username: 'ann' });
    expect(calls).toMatchObject([{ input: 'quay.io:443' }]);
  });

  it('may answer with an identity token', async () => {
    const { keychain } = keychainOf({ '/docker/config.json': config }, { 'docker-credential-one': answer('<token>') });
    expect(await keychain.find('ghcr.io', 'a')).toMatchObject({ kind: 'identity', token: 'hush' });
  });

  it('that know nothing leave it to the entries', async () => {
    const nothing = { exitCode: 1, stdout: 'credentials not found in native keychain\n' };
    const { keychain } = keychainOf({ '/docker/config.json': config }, { 'docker-credential-one': nothing });
    expect(await keychain.find('ghcr.io', 'a')).toMatchObject({ username: 'bob' });
  });

  it.each([
    ['that are not there', {}, 'could not be started'],
    ['that fail', { 'docker-credential-one': { exitCode: 2, stdout: 'keyring is locked' } }, 'keyring is locked'],
    [
      'that answer something else',
      { 'docker-credential-one': { exitCode: 0, stdout: '{"Secret":"hush"}' } },
      'did not answer',
    ],
  ])('%s are named with their file', async (_name, answers, part) => {
    const error = await keychainOf({ '/docker/config.json': config }, answers)
      .keychain.find('ghcr.io', 'a')
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: 'credentials',
      message: expect.stringContaining(part),
      hint: expect.stringContaining('/docker/config.json'),
    });
    expect((error as Error).message).not.toContain('hush');
  });
});
