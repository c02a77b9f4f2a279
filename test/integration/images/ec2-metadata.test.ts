import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type MetadataOptions, serveMetadata } from '../../emulators/metadata/service.ts';
import { ROOT } from '../../support/root.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

const KEY = 'ssh-ed25519 AAAAC3Nz test';
const VALUES = { hostname: 'ip-10-0-0-1.ec2.internal', 'public-keys/0/openssh-key': KEY };
const KEY_PATH = '/latest/meta-data/public-keys/0/openssh-key';

interface Run {
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly name: string;
  /** The file with the account's keys; undefined where there is none. */
  readonly keys: string | undefined;
  readonly files: readonly string[];
  readonly mode: number;
  readonly requests: readonly string[];
  readonly tokens: readonly string[];
}

/** Runs the script of nix/modules as the unit does: by a shell that ends at errors. */
async function run(
  options: MetadataOptions,
  { before = '', endpoints = (own: string) => own, namedFile = true } = {},
): Promise<Run> {
  await using folder = await uniqueTempDir('metadata');
  await using service = await serveMetadata(options);
  const keys = join(folder.path, 'keys');
  const nameFile = join(folder.path, 'name');
  await writeFile(nameFile, 'nixos');
  await mkdir(keys);
  if (before !== '') await writeFile(join(keys, 'admin'), before);
  const words = ['-e', join(ROOT, 'nix/modules/ec2-metadata.sh'), keys, 'admin', ...(namedFile ? [nameFile] : [])];
  const env = {
    EC2_METADATA_ENDPOINTS: endpoints(service.endpoint),
    EC2_METADATA_TRIES: '4',
    EC2_METADATA_PAUSE: '0.05',
    // A proxy that is in the environment is nothing to ask for credentials of the instance.
    http_proxy: 'http://127.0.0.1:9',
  };
  const { exitCode, stderr } = await runProgram('sh', words, { env });
  const file = join(keys, 'admin');
  const files = await readdir(keys);
  return {
    exitCode,
    stderr,
    name: await readFile(nameFile, 'utf8'),
    keys: files.includes('admin') ? await readFile(file, 'utf8') : undefined,
    files,
    mode: files.includes('admin') ? (await stat(file)).mode & 0o777 : 0,
    requests: service.requests,
    tokens: service.tokens,
  };
}

test('host name and key come from the service, by one token', async () => {
  const { exitCode, name, keys, mode, files, requests } = await run({ values: VALUES });
  expect({ exitCode, name, keys, mode, files }).toEqual({
    exitCode: 0,
    name: 'ip-10-0-0-1.ec2.internal',
    keys: `${KEY}\n`,
    mode: 0o644,
    files: ['admin'],
  });
  expect(requests).toEqual(['PUT /latest/api/token 200', 'GET /latest/meta-data/hostname 200', `GET ${KEY_PATH} 200`]);
});

test('a system with a name of its own is not asked about', async () => {
  const { name, keys, requests } = await run({ values: VALUES }, { namedFile: false });
  expect({ name, keys }).toEqual({ name: 'nixos', keys: `${KEY}\n` });
  expect(requests.join()).not.toContain('hostname');
});

test('tokens that are refused at first are replaced', async () => {
  const { exitCode, keys, tokens } = await run({ values: VALUES, refusedTokens: 2 });
  expect({ exitCode, keys, tokens: tokens.length }).toEqual({ exitCode: 0, keys: `${KEY}\n`, tokens: 3 });
});

test('a service that is busy is asked again', async () => {
  const { exitCode, keys, requests } = await run({ values: VALUES, unavailable: 3 });
  expect({ exitCode, keys }).toEqual({ exitCode: 0, keys: `${KEY}\n` });
  expect(requests.filter((line) => line.endsWith('503')).length).toBe(3);
});

test('without IPv4 the address of IPv6 is asked', async () => {
  const { exitCode, keys } = await run({ values: VALUES }, { endpoints: (own) => `http://127.0.0.1:9 ${own}` });
  expect({ exitCode, keys }).toEqual({ exitCode: 0, keys: `${KEY}\n` });
});

test('an instance without key pair starts, and keeps no key of another one', async () => {
  const { exitCode, keys, stderr } = await run({ values: { hostname: 'a' } }, { before: 'ssh-rsa old' });
  expect({ exitCode, keys }).toEqual({ exitCode: 0, keys: undefined });
  expect(stderr).toContain('this instance has no key pair');
});

test.each([
  ['several domains', 'ip-10-0-0-1.corp.example ip-10-0-0-1.lab.example', 'ip-10-0-0-1.corp.example'],
  ['words of a shell', '$(reboot)', 'nixos'],
  ['a path', '../../etc', 'nixos'],
])('a host name of %s', async (_what, hostname, name) => {
  const found = await run({ values: { ...VALUES, hostname } });
  expect(found).toMatchObject({ exitCode: 0, name, keys: `${KEY}\n` });
});

test.each([
  ['is switched off', { isOff: true }, 'no token from the metadata service after 4 tries: is it switched off'],
  [
    'takes none of its tokens',
    { refusedTokens: 99 },
    'the metadata service gives no hostname after 4 tries: status 401',
  ],
  ['fails', { unavailable: 99 }, 'the metadata service gives no hostname after 4 tries: status 503'],
])('a service that %s is a failure, and what was there stays', async (_what, mode, message) => {
  const found = await run({ values: VALUES, ...mode }, { before: 'ssh-rsa old' });
  expect(found).toMatchObject({ exitCode: 1, name: 'nixos', keys: 'ssh-rsa old' });
  expect(found.stderr).toContain(message);
});
