import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseLayers, pushBase, writeBase } from '../../support/base.ts';
import { cliData, type Published, testImage } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { describeTree, withRootfs } from '../../support/rootfs.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { runProgram } from '../../support/tools.ts';

// Podman unpacks images of Debian's Python and runs it, half of them under emulation: that takes seconds each.

/** What podman unpacks is what matters; large images take less time with zstd. */
const QUICK = { compression: 'zstd' };

let lab: Lab;
let registry: Lab['registry'];
let podman: Lab['podman'];
let temp: Lab['temp'];

beforeAll(async () => {
  lab = await openLab('content');
  ({ registry, podman, temp } = lab);
});

afterAll(() => lab?.close());

const publish = (image: readonly string[], name: string, more: readonly string[] = []): Promise<Published> =>
  cliData(['publish', ...image, '--to', `${registry.host}/${name}`, ...more]);

const environmentOf = async (name: string): Promise<Record<string, string>> => {
  const { images } = await cliData<{ images: { config: { Env: string[] } }[] }>([
    'inspect',
    `${registry.host}/${name}`,
  ]);
  return Object.fromEntries((images[0]?.config.Env ?? []).map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
};

describe('what podman unpacks is what the store holds', () => {
  test('long and odd names, hard links, empty folders, executables and dangling links', async () => {
    await publish(await testImage('awkward'), 'awkward', ONLY_X86);
    const { TREE = '' } = await environmentOf('awkward');
    const [expected, unpacked] = await withRootfs(podman, `${registry.host}/awkward`, async (root) => [
      await describeTree(TREE),
      await describeTree(join(root, TREE)),
    ]);
    expect(Object.fromEntries(unpacked)).toEqual(Object.fromEntries(expected));
    const names = [...expected.keys()];
    expect(Math.max(...names.map((name) => name.length))).toBeGreaterThan(200);
    expect(names.some((name) => /[^\x20-\x7e]/.test(name))).toBe(true);
    expect([...expected.values()].filter((entry) => entry.startsWith('link'))).not.toEqual([]);
  });
});

describe.each([
  ['linux/amd64', 'x86_64'],
  ['linux/arm64', 'aarch64'],
])('%s', (platform, machine) => {
  const system = ['--system', `${machine}-linux`];
  const python = ['--rm', '--tls-verify=false', '--platform', platform];

  test("Debian's own python runs from the root merged of all its packages", async () => {
    await publish(await testImage('merged', QUICK), `merged-${machine}`, system);
    const program =
      'import ssl, sqlite3, hashlib, platform, os; print(platform.machine(), os.readlink("/usr/bin/python3"))';
    const { stdout, stderr } = await podman.run([
      'run',
      ...python,
      `${registry.host}/merged-${machine}`,
      '/usr/bin/python3',
      '-c',
      program,
    ]);
    expect(stdout.trim(), stderr).toBe(`${machine} python3.11`);
  });

  test('an image on a base has its layers, environment, and what was added, setuid and capabilities too', async () => {
    const base = `${registry.host}/python-${machine}`;
    const { digest } = await publish(await testImage('python', QUICK), `python-${machine}`, system);
    const before = await cliData<{ images: { layers: { digest: string }[] }[] }>(['inspect', base]);
    await publish(await testImage('onBase', { base: `${base}@${digest}` }), `on-base-${machine}`, system);
    const after = await cliData<{ images: { layers: { digest: string }[] }[] }>([
      'inspect',
      `${registry.host}/on-base-${machine}`,
    ]);
    const layers = before.images[0]?.layers.map((layer) => layer.digest) ?? [];
    expect(after.images[0]?.layers.map((layer) => layer.digest).slice(0, layers.length)).toEqual(layers);

    const program = `
import os, json
s = os.stat('/bin/privileged')
d = os.stat('/srv/data')
print(json.dumps([oct(s.st_mode), s.st_uid, s.st_gid, os.getxattr('/bin/privileged', 'security.capability').hex(),
  oct(d.st_mode), d.st_uid, open('/etc/motd').read(), os.getuid(), os.environ['FROM'], os.environ['PATH']]))`;
    const { stdout, stderr } = await podman.run([
      'run',
      ...python,
      `${registry.host}/on-base-${machine}`,
      '/bin/python3',
      '-c',
      program,
    ]);
    expect(JSON.parse(stdout || JSON.stringify(stderr))).toEqual([
      '0o104755',
      0,
      7,
      '0100000200240000000000000000000000000000',
      '0o42770',
      1000,
      'grüß dich\n',
      1000,
      'own',
      '/bin',
    ]);
  });
});

test('over a base, /tmp stays sticky, /root private, bin a link, and accounts are added', async () => {
  const folder = join(temp.path, 'os');
  await mkdir(folder);
  await writeBase(join(folder, 'base.tar'), await baseLayers(folder));
  const base = await pushBase(join(folder, 'base.tar'), `${registry.host}/os:v1`);
  await publish(await testImage('overBase', { base, salt: 'one' }), 'over-base', ONLY_X86);
  const look = `cd /; stat -c '%a %u:%g %n' tmp root usr/bin bin srv etc/shadow; /bin/tool; id app; id postgres; cat /tmp/x
    cat /etc/group; ls srv; ls -d opt || true`;
  const { stdout, stderr } = await podman.run([
    'run',
    '--rm',
    '--tls-verify=false',
    `${registry.host}/over-base`,
    '/bin/sh',
    '-c',
    look,
  ]);
  expect(stdout.split('\n'), stderr).toEqual([
    '1777 0:0 tmp',
    '700 0:0 root',
    '755 0:0 usr/bin',
    '777 0:0 bin',
    '755 0:0 srv',
    '640 0:0 etc/shadow',
    'tool one',
    'uid=2000(app) gid=2000(app) groups=2000(app)',
    'uid=70(postgres) gid=70(postgres) groups=70(postgres),101(ssl-cert)',
    'xroot:x:0:',
    'ssl-cert:x:101:postgres',
    'postgres:x:70:',
    'app:x:2000:',
    'nobody:x:65534:',
    '',
  ]);
});

test('a base in the store, as an archive of plain tars, is compressed and takes its place below', async () => {
  const archive = join(temp.path, 'base.tar');
  const layout = join(temp.path, 'base');
  await cliData(['publish', ...(await testImage('python')), ...ONLY_X86, '--to', `oci:${layout}:v1`]);
  // Two steps, for skopeo unpacks layers only into folders and archives of docker's.
  const copied = await runProgram('skopeo', [
    'copy',
    '--quiet',
    `oci:${layout}:v1`,
    `docker-archive:${archive}:base:v1`,
  ]);
  expect(copied.exitCode, copied.stderr).toBe(0);
  const added = await runProgram('nix-store', ['--add', archive], { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  await publish(await testImage('onBase', { base: added.stdout.trim() }), 'on-archive', ONLY_X86);
  const { images } = await cliData<{ images: { layers: { mediaType: string }[] }[] }>([
    'inspect',
    `${registry.host}/on-archive`,
  ]);
  for (const { mediaType } of images[0]?.layers ?? [])
    expect(mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
  const { stdout, stderr } = await podman.run([
    'run',
    '--rm',
    '--tls-verify=false',
    `${registry.host}/on-archive`,
    '/bin/python3',
    '-c',
    'print(6 * 7)',
  ]);
  expect(stdout.trim(), stderr).toBe('42');
});

test('the Nix database in an image names its paths, hashes and references', async () => {
  await publish(await testImage('withDatabase'), 'database', ONLY_X86);
  const { images } = await cliData<{ images: { layers: { storePaths: string[] }[] }[] }>([
    'inspect',
    `${registry.host}/database`,
  ]);
  const paths = (images[0]?.layers ?? []).flatMap((layer) => layer.storePaths).sort();
  await withRootfs(podman, `${registry.host}/database`, async (root) => {
    // The host's own Nix reads a copy of the image's database.
    const state = join(temp.path, 'state');
    await runProgram('cp', ['-r', join(root, 'nix/var/nix'), state]);
    const env = { NIX_STATE_DIR: state, NIX_CONFIG: TEST_NIX_CONFIG };
    const dump = await runProgram('nix-store', ['--dump-db'], { env });
    const own = await runProgram('nix-store', ['--dump-db', ...paths], { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
    const facts = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => line.startsWith('/nix/store/') && !line.endsWith('.drv'))
        .sort();
    expect(facts(dump.stdout)).toEqual(facts(own.stdout));
    expect((await runProgram('nix-store', ['--verify'], { env })).exitCode).toBe(0);
    expect((await readFile(join(state, 'db/schema'), 'utf8')).trim()).toBe('10');
    await rm(state, { recursive: true });
  });
});
