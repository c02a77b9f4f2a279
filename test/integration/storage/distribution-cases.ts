import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Connections } from '../../../src/host/connections.ts';
import { createFetch } from '../../../src/host/http-fetch.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { copyManifestTree } from '../../../src/storage/copy.ts';
import { openRegistry } from '../../../src/storage/open.ts';
import type { Credential } from '../../../src/storage/registry/auth/credential.ts';
import { startEmulator } from '../../emulators/registry/emulator.ts';
import { certificateFile } from '../../fixtures/certificates/index.ts';
import { startProxy } from '../../support/proxy.ts';
import { type RegistryOptions, type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { ISSUER, type RunningTokenServer, SERVICE, startTokenServer } from '../../support/token-server.ts';
import { LARGE, open, readAll, skopeo, useFolder } from './bench.ts';
import { blobOf, noise, putImage, putIndex, randomName, testDeps, writeBlob } from './kit.ts';

const login = (username: string, password: string): Credential => ({
  kind: 'basic',
  username,
  password,
  origin: `a test, user ${username}`,
});

const ALICE = login('alice', 'wonder');
const USERS = {
  alice: { password: 'wonder', rights: 'pull,push' },
  rob: { password: 'reader', rights: 'pull' },
};

/** `user` and `secret`, as htpasswd -B writes them. */
const HTPASSWD = 'user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n';

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

const as = (host: string, name: string, credential: Credential, variables: Readonly<Record<string, string>> = {}) => {
  const fetch = createFetch(new Connections({ env: (variable) => variables[variable], config: '/nonexistent' }));
  const deps = testDeps({ fetch, keychain: { find: async () => credential } });
  return openRegistry(parseReference(`${host}/${name}`), 'write', deps);
};

/** What a real registry of the distribution project says to us. `program` is the one that is started. */
export const registryTests = (program?: string): void => {
  const start = (options: RegistryOptions = {}) => startRegistry({ ...options, ...(program && { program }) });
  const at = useFolder();

  describe('without a login', () => {
    let registry: RunningRegistry;
    beforeAll(async () => {
      registry = await start();
    });
    afterAll(() => registry?.stop());

    it('an index with a large layer is read by skopeo and by us', async () => {
      const image = `docker://${registry.host}/${randomName()}`;
      const index = await putIndex(open(`${image}:1.0`), '1.0', LARGE);
      const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `${image}:1.0`);
      expect(raw).toBe(Buffer.from(index.bytes).toString('utf8'));
      await skopeo('copy', '--all', '--src-tls-verify=false', `${image}@${index.digest}`, `dir:${at('dir')}`);
      expect((await readFile(at('dir/manifest.json'))).equals(Buffer.from(index.bytes))).toBe(true);
      expect(await readAll(`${image}:1.0`, at('read-all'))).toBe(index.digest);
    });

    it('blobs are mounted', async () => {
      const source = open(`${registry.host}/${randomName()}`);
      const { manifest } = await putImage(source, 'amd64', 100_000);
      const target = open(`${registry.host}/${randomName()}`);
      expect((await copyManifestTree(manifest, source, [target])).root.digest).toBe(manifest.digest);
      expect(target.bytesSent).toBe(0);
    });

    it('ranges are answered as the emulator answers them', async () => {
      const emulator = await startEmulator();
      onTestFinished(() => emulator.stop());
      const name = randomName();
      const ask = async (host: string, range: string) => {
        const response = await fetch(`http://${host}/v2/${name}/blobs/${blob.digest}`, { headers: { range } });
        const shown = [range, response.status, response.headers.get('content-range')];
        // Distribution 2.8 gives an error the length of the blob, and ends the connection.
        if (response.status >= 400) return [...shown, await response.body?.cancel()];
        const type = response.headers.get('content-type') ?? '';
        const boundary = /boundary=(\w+)$/.exec(type)?.[1] ?? 'none';
        const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
        return [...shown, ...[type, text].map((words) => words.replaceAll(boundary, 'BOUNDARY'))];
      };
      const bytes = noise(5000, 'ranges');
      const blob = blobOf(bytes);
      for (const { host } of [registry, emulator]) await writeBlob(open(`docker://${host}/${name}`), bytes);
      for (const range of [
        ...['bytes=0-9', 'bytes=10-', 'bytes=-7', 'bytes=4990-9000', 'bytes=5000-5001', 'bytes=9-3', 'lines=1-2'],
        ...['bytes=0-9,20-29', 'bytes=0-9, 10-19,-3', 'bytes=0-9,6000-6001', 'bytes=0-4000,100-4100', 'bytes=0-1,x'],
      ])
        expect(await ask(emulator.host, range)).toEqual(await ask(registry.host, range));
    });
  });

  describe('with tokens of a server', () => {
    let tokens: RunningTokenServer;
    let registry: RunningRegistry;
    beforeAll(async () => {
      tokens = await startTokenServer({ users: USERS });
      const rootcertbundle = certificateFile('ca.crt');
      registry = await start({ tokens: { realm: tokens.realm, service: SERVICE, issuer: ISSUER, rootcertbundle } });
    });
    afterAll(async () => {
      await registry?.stop();
      await tokens?.[Symbol.asyncDispose]();
    });

    it('an index with a large layer goes by one token, which allows this repository alone', async () => {
      const name = randomName();
      const before = tokens.asked.length;
      const repository = as(registry.host, name, ALICE);
      const index = await putIndex(repository, '1.0', LARGE);
      expect((await repository.getManifest('1.0'))?.digest).toBe(index.digest);
      expect(tokens.asked.slice(before)).toEqual([[`repository:${name}:pull,push`]]);
    });

    it('a token that the registry finds to have ended is asked for again', async () => {
      const repository = as(registry.host, randomName(), ALICE);
      const before = tokens.asked.length;
      tokens.giveEnded(1);
      const index = await putIndex(repository, '1.0');
      expect((await repository.getManifest('1.0'))?.digest).toBe(index.digest);
      expect(tokens.asked.length - before).toBe(2);
    });

    it('blobs are mounted by a token for both repositories', async () => {
      const [from, to] = [randomName(), randomName()];
      const source = as(registry.host, from, ALICE);
      const { manifest } = await putImage(source, 'amd64', 100_000);
      const target = as(registry.host, to, ALICE);
      await copyManifestTree(manifest, source, [target]);
      expect(target.bytesSent).toBe(0);
      expect(tokens.asked).toContainEqual([`repository:${to}:pull,push`, `repository:${from}:pull`]);
    });

    it.each([
      ['a wrong password', login('alice', 'guess'), 'a test, user alice'],
      ['a user that may only pull', login('rob', 'reader'), 'a test, user rob'],
    ])('%s is an error of the login, which is named', async (_name, credential, origin) => {
      expect(await errorOf(putIndex(as(registry.host, randomName(), credential), '1.0'))).toMatchObject({
        code: 'credentials',
        message: expect.stringContaining(origin),
        hint: expect.stringContaining('Log in'),
      });
    });
  });

  it('TLS by an authority of its own, a password, and a proxy that wants one too', async () => {
    const tls = { certificate: certificateFile('server.crt'), key: certificateFile('server.key') };
    const registry = await start({ tls, htpasswd: HTPASSWD });
    onTestFinished(() => registry.stop());
    const port = Number(registry.host.split(':')[1]);
    const proxy = await startProxy({ login: 'proxy:pass', portOf: () => port });
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const variables = { HTTPS_PROXY: `http://proxy:pass@${proxy.host}`, SSL_CERT_FILE: certificateFile('ca.crt') };
    const name = randomName();
    const repository = as('registry.test', name, login('user', 'secret'), variables);
    const index = await putIndex(repository, '1.0');
    expect((await repository.getManifest('1.0'))?.digest).toBe(index.digest);
    const refused = as('registry.test', name, login('user', 'wrong'), variables);
    expect(await errorOf(refused.getManifest('1.0'))).toMatchObject({
      code: 'credentials',
      message: expect.stringContaining('a test, user user'),
    });
    const { SSL_CERT_FILE: _, ...untrusting } = variables;
    const unknown = as('registry.test', name, login('user', 'secret'), untrusting);
    expect(await errorOf(unknown.getManifest('1.0'))).toMatchObject({ message: expect.stringContaining('looked at:') });
  });
};
