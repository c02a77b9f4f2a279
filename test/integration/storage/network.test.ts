import { createPrivateKey } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import type { Credential } from '../../../src/storage/registry/auth/credential.ts';
import type { Fetch } from '../../../src/storage/registry/fetch/with-log.ts';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { AUTHORITY, CLIENT, certificateFile, SERVER } from '../../fixtures/certificates/index.ts';
import { runCli } from '../../support/cli.ts';
import { type ProxyOptions, startProxy } from '../../support/proxy.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { LARGE } from './bench.ts';
import { collect, noise, putIndex, testDeps, writeBlob } from './kit.ts';

const BOB: Credential = { kind: 'basic', username: 'bob', password: 'secret', origin: 'a test' };
const LOGIN = { scheme: 'basic', users: { bob: 'secret' } } as const;
const SYSTEM_TRUST = { SSL_CERT_FILE: certificateFile('ca.crt') };

const registry = async (options: EmulatorOptions = {}) => {
  const emulator = await startEmulator(options);
  onTestFinished(() => emulator.stop());
  return { emulator, port: emulator.host.split(':')[1] ?? '' };
};

const proxy = async (options: ProxyOptions = {}) => {
  const running = await startProxy(options);
  onTestFinished(() => running[Symbol.asyncDispose]());
  return running;
};

const fetchWith = (variables: Readonly<Record<string, string>>, config = '/nonexistent'): Fetch =>
  createFetch(new Connections({ env: (name) => variables[name], config }));

const reach = (reference: string, fetch: Fetch, changes: Parameters<typeof testDeps>[0] = {}) => {
  const deps = testDeps({ fetch, ...changes });
  const open = (mode: 'read' | 'write' = 'write') => openRegistry(parseReference(reference), mode, deps);
  return { deps, open };
};

const LOCKED_KEY = createPrivateKey(CLIENT.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hush' })
  .toString();

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

// Nothing resolves registry.test: what arrives has come through the proxy.
describe('through a proxy', () => {
  it('go all requests to a plain registry: uploads, downloads and the token server', async () => {
    const { emulator, port } = await registry({ auth: { scheme: 'token', users: { bob: 'secret' } } });
    const between = await proxy({ login: 'us@er:pa:ss' });
    const fetch = fetchWith({ HTTP_PROXY: `http://us%40er:pa%3Ass@${between.host}` });
    const { open } = reach(`registry.test:${port}/org/app`, fetch, {
      plainHosts: ['registry.test'],
      keychain: { find: async () => BOB },
    });
    const index = await putIndex(open(), '1.0');
    const layer = await writeBlob(open(), noise(LARGE, 'proxied'));
    expect((await open('read').getManifest('1.0'))?.digest).toBe(index.digest);
    expect((await collect(open('read').readBlob(layer))).length).toBe(LARGE);
    expect(between.requests).toHaveLength(emulator.requests.length);
    expect(between.requests).toContain(`GET http://registry.test:${port}/v2/org/app/blobs/${layer.digest}`);
  });

  it('go tunnels to a registry over TLS', async () => {
    const { emulator, port } = await registry({ tls: SERVER });
    const between = await proxy({ login: 'user:pass' });
    const fetch = fetchWith({ https_proxy: `user:pass@${between.host}`, ...SYSTEM_TRUST });
    const { open } = reach(`registry.test:${port}/org/app`, fetch);
    const index = await putIndex(open(), '1.0', LARGE);
    expect((await open('read').getManifest('1.0'))?.digest).toBe(index.digest);
    expect(emulator.requests.length).toBeGreaterThan(10);
    expect(new Set(between.requests)).toEqual(new Set([`CONNECT registry.test:${port}`]));
  });

  it('that speaks TLS itself, and is trusted as registries are', async () => {
    const { port } = await registry({ tls: SERVER });
    const between = await proxy({ tls: SERVER });
    const fetch = fetchWith({ HTTPS_PROXY: `https://${between.host}`, ...SYSTEM_TRUST });
    expect(await reach(`registry.test:${port}/org/app`, fetch).open().getManifest('1.0')).toBeUndefined();
  });

  it.each([
    ['the port of https', { tls: SERVER }, 443, {}],
    ['the port of http', {}, 80, { plainHosts: ['registry.test:80'] }],
  ])('a registry whose name has %s is logged in to', async (_name, options, named, changes) => {
    const { emulator, port } = await registry({ ...options, auth: LOGIN });
    const between = await proxy({ portOf: (asked) => (asked === named ? Number(port) : asked) });
    const variables = { HTTPS_PROXY: between.host, HTTP_PROXY: between.host, ...SYSTEM_TRUST };
    const { open } = reach(`registry.test:${named}/org/app`, fetchWith(variables), {
      ...changes,
      keychain: { find: async () => BOB },
    });
    const index = await putIndex(open(), '1.0');
    expect((await open('read').getManifest('1.0'))?.digest).toBe(index.digest);
    expect(emulator.requests.filter(({ status }) => status === 401)).toHaveLength(2);
  });

  it.each([
    ['http', {}],
    ['https', { tls: SERVER }],
  ])('that wants another login: the error of %s names it without the password', async (_name, options) => {
    const { port } = await registry(options);
    const between = await proxy({ login: 'user:right' });
    const variables = {
      HTTPS_PROXY: `http://user:wrong@${between.host}`,
      HTTP_PROXY: `http://user:wrong@${between.host}`,
    };
    const plainHosts = 'tls' in options ? [] : ['registry.test'];
    const { open } = reach(`registry.test:${port}/org/app`, fetchWith(variables), { plainHosts });
    const error = await failureOf(open().getManifest('1.0'));
    expect(error).toMatchObject({
      code: 'registry',
      message: expect.stringMatching(new RegExp(`the proxy http://${between.host}: .*407`)),
      hint: expect.stringContaining('HTTPS_PROXY'),
    });
    expect(String(error)).not.toContain('wrong');
  });

  it('that is not there: the error names it', async () => {
    const fetch = fetchWith({ HTTPS_PROXY: 'http://127.0.0.1:1' });
    const error = await failureOf(reach('registry.test/org/app', fetch).open().getManifest('1.0'));
    expect(error).toMatchObject({
      message: expect.stringContaining('through the proxy http://127.0.0.1:1: connect ECONN'),
    });
  });

  it('that never opens the tunnel: the time-out and Ctrl-C end the wait', async () => {
    const between = await proxy({ isSilent: true });
    const fetch = fetchWith({ HTTPS_PROXY: between.host });
    const retry = { attempts: 2, baseDelay: 1, maxDelay: 1, maxRetryAfter: 1, totalTime: 1000 };
    const stuck = reach('registry.test/org/app', fetch, { timeout: 50, retry });
    expect(await failureOf(stuck.open().getManifest('1.0'))).toMatchObject({
      message: expect.stringContaining('no answer within'),
    });
    const controller = new AbortController();
    const stopped = failureOf(
      reach('registry.test/org/app', fetch, { signal: controller.signal }).open().getManifest('1.0'),
    );
    setTimeout(() => controller.abort(), 20);
    expect(await stopped).toMatchObject({ code: 'cancelled' });
  });

  it('never goes what is on loopback', async () => {
    const { emulator } = await registry();
    const fetch = fetchWith({ HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1' });
    expect(await reach(`${emulator.host}/org/app`, fetch).open().getManifest('1.0')).toBeUndefined();
  });
});

describe('certificates', () => {
  const mutual = { tls: { ...SERVER, ca: AUTHORITY, requestCert: true, rejectUnauthorized: true } };

  const certsFolder = async (name: string, files: Readonly<Record<string, string>>) => {
    const config = await uniqueTempDir('certs');
    onTestFinished(() => config.remove());
    const folder = join(config.path, 'containers', 'certs.d', name);
    await mkdir(folder, { recursive: true });
    for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
    return { config: config.path, folder };
  };
  const FILES = { 'ca.crt': AUTHORITY, 'client.cert': CLIENT.cert, 'client.key': CLIENT.key };

  const get = async (options: EmulatorOptions, named: number | undefined, config: string, variables = {}) => {
    const { port } = await registry(options);
    const between = await proxy({ portOf: (asked) => (asked === (named ?? 443) ? Number(port) : asked) });
    const fetch = fetchWith({ HTTPS_PROXY: between.host, ...variables }, config);
    const host = named === undefined ? 'registry.test' : `registry.test:${named}`;
    return await reach(`${host}/org/app`, fetch).open().getManifest('1.0');
  };

  it.each([
    ['with its port', 'registry.test:5000', 5000],
    ['without the port of https', 'registry.test', undefined],
    ['with a port that the reference leaves out', 'registry.test:443', undefined],
    ['without a port that the reference has', 'registry.test', 443],
  ])('certs.d names the registry %s: authority and client certificate', async (_name, folder, named) => {
    const { config } = await certsFolder(folder, FILES);
    expect(await get(mutual, named, config)).toBeUndefined();
  });

  it('nobody vouches for: the error says how to trust them', async () => {
    expect(await failureOf(get({ tls: SERVER }, undefined, '/nonexistent'))).toMatchObject({
      message: expect.stringMatching(/certificate.*, [A-Z_]+$/),
      hint: expect.stringContaining('certs.d'),
    });
  });

  it.each([
    ['a certificate without its key', { 'client.cert': CLIENT.cert }, 'client.cert: its key client.key is missing'],
    ['a key without its certificate', { 'client.key': CLIENT.key }, 'its certificate client.cert is missing'],
    ['no certificate', { 'ca.crt': 'something' }, 'ca.crt: no certificate in it'],
    ['the key of another', { 'client.cert': CLIENT.cert, 'client.key': SERVER.key }, 'cannot be used'],
    ['a key with a passphrase', { 'client.cert': CLIENT.cert, 'client.key': LOCKED_KEY }, 'cannot be used'],
  ])('certs.d with %s', async (_name, files, part) => {
    const { config, folder } = await certsFolder('registry.test', files);
    const error = await failureOf(get({ tls: SERVER }, undefined, config));
    expect(error).toMatchObject({ code: 'file', message: expect.stringContaining(part) });
    expect(String(error)).toContain(folder);
  });

  it('in the folder of SSL_CERT_DIR count; unreadable ones beside them do not matter', async () => {
    const folder = await uniqueTempDir('certs');
    onTestFinished(() => folder.remove());
    await copyFile(certificateFile('ca.crt'), join(folder.path, 'own.pem'));
    await writeFile(join(folder.path, 'bad.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const variables = { SSL_CERT_DIR: `/nonexistent:${folder.path}`, SSL_CERT_FILE: '/nonexistent' };
    expect(await get({ tls: SERVER }, undefined, '/nonexistent', variables)).toBeUndefined();
  });
});

describe('on loopback', () => {
  /** Notes the requests that ask what the registry speaks. */
  const noting = () => {
    const asked: string[] = [];
    const usual = fetchWith({});
    const fetch: Fetch = (input, init) => {
      if (String(input).startsWith('https:') && String(input).endsWith('/v2/')) asked.push(String(input));
      return usual(input, init);
    };
    return { asked, fetch };
  };

  it.each<[string, EmulatorOptions]>([
    ['TLS is spoken where the registry speaks it', { tls: SERVER, location: 'relative', auth: LOGIN }],
    ['plain http elsewhere', { auth: LOGIN }],
  ])('%s, and it is asked once', async (_name, options) => {
    const { emulator } = await registry(options);
    const { asked, fetch } = noting();
    const { open } = reach(`${emulator.host}/org/app`, fetch, { keychain: { find: async () => BOB } });
    const index = await putIndex(open(), '1.0', LARGE);
    expect((await open('read').getManifest('1.0'))?.digest).toBe(index.digest);
    expect(asked).toEqual([`https://${emulator.host}/v2/`]);
  });

  it('a host that is named as plain is not asked', async () => {
    const { emulator } = await registry();
    const { asked, fetch } = noting();
    await reach(`${emulator.host}/org/app`, fetch, { plainHosts: ['127.0.0.1'] })
      .open()
      .getManifest('1.0');
    expect(asked).toEqual([]);
  });
});

it('the command line obeys DOCKER_AUTH_CONFIG, HTTPS_PROXY and SSL_CERT_FILE, and shows no password', async () => {
  const { port } = await registry({ tls: SERVER, auth: LOGIN });
  const between = await proxy({ login: 'user:hush-hush', portOf: (asked) => (asked === 443 ? Number(port) : asked) });
  const proxied = { HTTPS_PROXY: `http://user:hush-hush@${between.host}`, ...SYSTEM_TRUST };
  await putIndex(
    reach('registry.test/org/app', fetchWith(proxied), { keychain: { find: async () => BOB } }).open(),
    '1.0',
  );
  const auth = Buffer.from('bob:secret').toString('base64');
  const DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { 'registry.test:443': { auth } } });
  const run = (env: Readonly<Record<string, string>>) =>
    runCli(['inspect', '--verbose', 'docker://registry.test/org/app:1.0'], { env });
  const [found, refused] = await Promise.all([
    run({ ...proxied, DOCKER_AUTH_CONFIG }),
    run({ ...proxied, HTTPS_PROXY: `http://user:hush-puppy@${between.host}` }),
  ]);
  expect(found).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('linux/arm64') });
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(`the proxy http://${between.host}`) });
  for (const { stdout, stderr } of [found, refused]) expect(stdout + stderr).not.toContain('hush');
});
