// A disk of a real kernel and a store of 48 MB is built once and sent to five places; most of it is compressing its image for KubeVirt.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGitHub } from '../../emulators/github/emulator.ts';
import { releaseUploadRoutes, type UploadState } from '../../emulators/github/release-uploads.ts';
import { cliData, runCli } from '../../support/cli.ts';
import { madeDisk } from '../../support/made-disk.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { standInDisk } from '../../support/stand-in-disk.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { expectClear } from '../publish/kit.ts';

let temp: TempDir;
let registry: RunningRegistry;
let github: Awaited<ReturnType<typeof startGitHub>>;
let made: string;
const state: UploadState = { repository: 'org/app', releases: [], nextId: 1 };
const at = (...parts: string[]): string => join(temp.path, ...parts);

/** Whether a disk is the one that was built, to the byte (which is cheaper to see than by a digest of a GiB), and what is not data takes no room. */
async function isBack(name: string): Promise<readonly [string, number, boolean]> {
  const { exitCode } = await runProgram(programPath('cmp'), [at(`${name}.raw`), made]);
  const { size, blocks } = await stat(at(`${name}.raw`));
  return [name, exitCode, blocks * 512 < size / 4];
}

const env = () => ({ GITHUB_API_URL: github.url, NIX_IMAGES_TOKEN: github.token });

const run = (...words: string[]) => runCli(words, { cwd: temp.path, env: env() });

async function done(...words: string[]): Promise<void> {
  const { exitCode, stderr } = await run(...words);
  if (exitCode !== 0) throw new Error(stderr);
}

async function must(program: string, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(programPath(program), args, { cwd: temp.path });
  expect([exitCode, stderr.includes('rror')]).toEqual([0, false]);
  return stdout;
}

beforeAll(async () => {
  temp = await uniqueTempDir('disk-destinations');
  const [started, standIn] = await Promise.all([startRegistry(), standInDisk()]);
  registry = started;
  let origin = '';
  github = await startGitHub({ permissions: { contents: 'write' }, routes: releaseUploadRoutes(state, () => origin) });
  origin = github.url;
  const { nix } = standIn;
  const given = nix.args.flatMap((argument, index) =>
    nix.args[index - (index % 3) + 2] === '' ? [] : [`--nix-arg=${argument}`],
  );
  const words = ['--file', nix.file, '--attr', 'disk', ...given, '--test-with', 'none', '--system', 'x86_64-linux'];
  await cliData(['build', ...words, '--out', 'handover'], { cwd: temp.path });
  made = (await madeDisk(standIn.definition, { workDir: temp.path })).path;
});
afterAll(async () => {
  await registry.stop();
  await github.stop();
  await temp.remove();
});

const ONE = ['publish', '--from', 'handover', '--system', 'x86_64-linux'];

const destinations = (): string[] =>
  [
    `${registry.host}/vm:1`,
    'oci:layout:1',
    'dir:files',
    'release:org/app@v1',
    `${registry.host}/vm-kubevirt:1 as=container-disk`,
  ].flatMap((to) => ['--to', to]);

test('the same disk goes to every destination and comes back equal, with its holes', async () => {
  const published = await run(...ONE, ...destinations());
  expect([published.exitCode, published.stderr]).toEqual([0, expect.any(String)]);
  expect((await stat(made)).size).toBe(2 ** 30);

  await done('pull', `${registry.host}/vm:1`, 'registry.raw');
  await done('pull', 'oci:layout:1', 'layout.raw');

  const stem = (await readdir(at('files'))).find((name) => name.endsWith('.raw.zst'))?.replace('.raw.zst', '');
  expect((await readdir(at('files'))).sort()).toEqual(['SHA256SUMS', `${stem}.positions.json`, `${stem}.raw.zst`]);
  await must('zstd', '-q', '-d', '--sparse', at(`files/${stem}.raw.zst`), '-o', at('dir.raw'));

  const [release] = state.releases;
  expect(release).toMatchObject({ tag: 'v1', draft: false });
  for (const { name, bytes } of release?.assets ?? []) await writeFile(at(`asset-${name}`), bytes);
  await must('zstd', '-q', '-d', '--sparse', at(`asset-${stem}.raw.zst`), '-o', at('release.raw'));

  await done('copy', `${registry.host}/vm-kubevirt:1`, '--to', 'oci:kubevirt:1');
  const index = JSON.parse(await readFile(at('kubevirt/index.json'), 'utf8'));
  const blob = async (digest: string) => at('kubevirt/blobs/sha256', digest.replace('sha256:', ''));
  const read = async (digest: string) => JSON.parse(await readFile(await blob(digest), 'utf8'));
  const { manifests } = await read(index.manifests[0].digest);
  expect(manifests).toMatchObject([{ platform: { os: 'linux', architecture: 'amd64' } }]);
  const { layers } = await read(manifests[0].digest);
  await must(
    'tar',
    '--extract',
    '--gzip',
    '--file',
    await blob(layers[0].digest),
    '--directory',
    temp.path,
    '--no-same-permissions',
    '--mode=u+w',
  );
  await must('qemu-img', 'convert', '-O', 'raw', at(`disk/${stem}.qcow2`), at('kubevirt.raw'));
  expect((await stat(at(`disk/${stem}.qcow2`))).size).toBeLessThan(2 ** 28);

  for (const place of ['registry', 'layout', 'dir', 'release', 'kubevirt'])
    expect(await isBack(place)).toEqual([place, 0, true]);
});

test('a second time nothing is sent, and all is told once more', async () => {
  const before = github.requests.length;
  const data = await cliData<{ images: { name: string; platforms: { bytesSent: number }[] }[]; files: object[] }>(
    [...ONE, ...destinations()],
    { cwd: temp.path, env: env() },
  );
  expect(data.images.map(({ name }) => name.replace(/^\S+/, 'vm'))).toEqual(['vm', 'vm as=container-disk']);
  for (const { platforms } of data.images) expect(platforms.map(({ bytesSent }) => bytesSent)).toEqual([0]);
  expect(data.files).toMatchObject([
    {
      systems: ['x86_64-linux'],
      files: [
        {
          name: 'dir:files',
          files: [/raw\.zst$/, /positions\.json$/, /SHA256SUMS$/].map((end) => expect.stringMatching(end)),
        },
        {
          name: 'release:org/app@v1',
          bytesSent: 0,
          files: [expect.stringContaining('/org/app/releases/download/v1/'), expect.anything()],
        },
      ],
    },
  ]);
  expect(github.requests.slice(before).filter((line) => !line.startsWith('GET'))).toEqual([]);
});

test('files alone need no registry, and one that may fail does not hold up the other', async () => {
  await writeFile(at('taken'), '');
  const { exitCode, stdout, stderr } = await run(...ONE, '--to', 'dir:taken may-fail', '--to', 'dir:alone');
  expect([exitCode, stderr]).toEqual([0, expect.stringMatching(/dir:taken: cannot write .*taken/)]);
  expect(stdout).toContain('not published, which is allowed: dir:taken');
  expect(await readdir(at('alone'))).toHaveLength(3);
});

test('where another place fails no files are left', async () => {
  await writeFile(at('file'), '');
  const { exitCode } = await run(...ONE, '--to', 'oci:file:1', '--to', 'dir:given-up');
  expect(exitCode).toBe(1);
  expect(await readdir(at('given-up'))).toEqual([]);
});

test('where a place of files fails nothing is published', async () => {
  expectClear(await run(...ONE, '--to', `${registry.host}/none:1`, '--to', 'dir:taken'), /cannot write .*taken/);
  expect((await fetch(`http://${registry.host}/v2/none/manifests/1`)).status).toBe(404);
  const denied = await runCli([...ONE, '--to', `${registry.host}/none:1`, '--to', 'release:org/app@v2'], {
    cwd: temp.path,
    env: { GITHUB_API_URL: github.url },
  });
  expectClear(denied, /missing token: release:org\/app@v2 is filled by GitHub's REST interface/);
  // As where a workflow's job does not name the permission.
  const reading = await startGitHub({
    permissions: { contents: 'read' },
    routes: releaseUploadRoutes(state, () => ''),
  });
  const unable = await runCli([...ONE, '--to', `${registry.host}/none:1`, '--to', 'release:org/app@v2'], {
    cwd: temp.path,
    env: { GITHUB_API_URL: reading.url, NIX_IMAGES_TOKEN: reading.token },
  });
  await reading.stop();
  expectClear(unable, /cannot make the release v2 of org\/app.*`permissions: contents: write`/s);
  expect((await fetch(`http://${registry.host}/v2/none/manifests/1`)).status).toBe(404);
});

test('a disk goes into an archive for docker as an image for KubeVirt alone', async () => {
  await done(...ONE, '--to', 'docker-archive:kubevirt.tar:vm:1 as=container-disk');
  expect(await must('tar', '--list', '--file', at('kubevirt.tar'))).toContain('manifest.json');
  const { exitCode, stderr } = await run(...ONE, '--to', 'docker-archive:vm.tar');
  expect(stderr).toMatch(/is a disk, and docker-archive:vm\.tar holds container images\n.*hint: .*as=container-disk/s);
  expect(exitCode).toBe(2);
});
