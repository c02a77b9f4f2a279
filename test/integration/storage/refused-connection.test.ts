import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import { type EmulatorOptions, startEmulator } from '../../emulators/registry/emulator.ts';
import { AUTHORITY, CLIENT, certificateFile, SERVER } from '../../fixtures/certificates/index.ts';
import { type ProxyOptions, startProxy } from '../../support/proxy.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { testDeps } from './kit.ts';

/** Asks a registry that lies behind a proxy, under a name that nothing resolves; returns the error and what was asked. */
const ask = async (
  options: { readonly registry?: EmulatorOptions; readonly proxy?: ProxyOptions; readonly isPlain?: boolean },
  variables: Readonly<Record<string, string>> = {},
  config: string = '/nonexistent',
) => {
  const emulator = await startEmulator(options.registry);
  onTestFinished(() => emulator.stop());
  const port = Number(emulator.host.split(':')[1]);
  const proxy = await startProxy({ portOf: () => port, ...options.proxy });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const env: Readonly<Record<string, string>> = { HTTPS_PROXY: proxy.host, HTTP_PROXY: proxy.host, ...variables };
  const fetch = createFetch(new Connections({ env: (name) => env[name], config }));
  const deps = testDeps({ fetch, plainHosts: options.isPlain ? ['registry.test'] : [] });
  const error = await openRegistry(parseReference('registry.test/org/app'), 'read', deps)
    .getManifest('1.0')
    .then(
      () => undefined,
      (caught: unknown) => caught,
    );
  return { error, proxy, emulator };
};

describe('a proxy that refuses is named, with what to do', () => {
  it.each([
    ['a host that it does not let through, by tunnel', {}, 403, 'ERR_ACCESS_DENIED', /NO_PROXY/, 1],
    ['a host that it does not let through, in plain http', { isPlain: true }, 403, 'ERR_ACCESS_DENIED', /NO_PROXY/, 1],
    ['nobody without a login, by tunnel', {}, 407, 'ERR_CACHE_ACCESS_DENIED', /password/, 1],
    ['nobody without a login, in plain http', { isPlain: true }, 407, 'ERR_CACHE_ACCESS_DENIED', /password/, 1],
    // It may be there in a second.
    ['for a registry that it cannot reach, and is asked again', {}, 503, 'ERR_CONNECT_FAIL', /NO_PROXY/, 7],
  ] as const)('%s', async (_name, how, status, reason, hint, requests) => {
    const { error, proxy, emulator } = await ask({ ...how, proxy: { refuses: { status, reason } } });
    expect(error).toMatchObject({
      code: 'registry',
      message: expect.stringMatching(new RegExp(`through the proxy http://${proxy.host}: .*${status}`)),
      hint: expect.stringMatching(hint),
    });
    expect(proxy.requests).toHaveLength(requests);
    expect(emulator.requests).toEqual([]);
  });
});

describe('a certificate that nobody vouches for: the error lists what was looked at', () => {
  const TLS = { registry: { tls: SERVER } };

  it('the file and the folder that variables name, and certs.d', async () => {
    const variables = { SSL_CERT_FILE: '/nonexistent/ca.pem', SSL_CERT_DIR: '/nonexistent/certs' };
    const { error } = await ask(TLS, variables);
    for (const part of [
      '/nonexistent/ca.pem (no certificate in it)',
      '/nonexistent/certs (no certificate in it)',
      'those that Node.js comes with',
      'no folder for registry.test in /nonexistent/containers/certs.d',
    ]) {
      expect((error as Error).message).toContain(part);
    }
    expect(error).toMatchObject({ hint: expect.stringContaining('certs.d') });
  });

  it('the folder in certs.d that has another authority', async () => {
    const temp = await uniqueTempDir('certs');
    onTestFinished(() => temp.remove());
    const folder = join(temp.path, 'containers', 'certs.d', 'registry.test');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'other.crt'), SERVER.cert);
    const { error } = await ask(TLS, {}, temp.path);
    // A server's own certificate is no authority.
    expect((error as Error).message).toMatch(new RegExp(`looked at: .*; ${folder}\\)`));
  });
});

describe('a registry that wants a client certificate', () => {
  const trust = { SSL_CERT_FILE: certificateFile('ca.crt') };
  const mutual = (more: object) => ({
    registry: { tls: { ...SERVER, ca: AUTHORITY, requestCert: true, rejectUnauthorized: true, ...more } },
  });

  it.each([
    ['TLS 1.3', {}],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
  ])('and gets none: the error says so, %s', async (_name, more) => {
    expect((await ask(mutual(more), trust)).error).toMatchObject({
      code: 'registry',
      message: expect.stringMatching(/: (tlsv13|ssl\/tls) alert [a-z ]+, ERR_SSL_\S+$/),
      hint: expect.stringContaining('client certificate'),
    });
  });

  it('and gets the one of a folder of docker’s own', async () => {
    const temp = await uniqueTempDir('certs');
    onTestFinished(() => temp.remove());
    const folder = join(temp.path, 'docker', 'certs.d', 'registry.test');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'client.cert'), CLIENT.cert);
    await writeFile(join(folder, 'client.key'), CLIENT.key);
    expect((await ask(mutual({}), trust, temp.path)).error).toBeUndefined();
  });
});
