import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { writeNpmPackage } from '../../../scripts/assemble/npm-package.ts';
import { openRepository } from '../../../src/storage/open.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { assemble, releaseTree, runAssemble } from '../../support/release.ts';
import { ROOT } from '../../support/root.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { putIndex, testDeps } from '../storage/kit.ts';
import { actions, COMPOSITES, git, listFiles } from './kit.ts';

// An assembly takes seconds; beside other tests, many.
vi.setConfig({ testTimeout: 300_000 });

/** GitHub's runners fetch a release before every job that uses it. A sixth of it is AWS's clients. */
const ARCHIVE_LIMIT = 3_600_000;

let tree: TempDir;
let head: string;
let commit: string;

beforeAll(async () => {
  head = await git('rev-parse', 'HEAD');
  [tree, commit] = await Promise.all([releaseTree(), assemble(['--commit', '--ref', head])]);
});

afterAll(() => tree?.remove());

const pathsOf = async (treeish: string): Promise<string[]> =>
  (await git('ls-tree', '-r', '--name-only', treeish)).split('\n');

/** Name and content of every file, as git names content. */
async function objectsOf(folder: string): Promise<string[]> {
  const names = await listFiles(folder);
  const objects = (await git('hash-object', '--no-filters', ...names.map((name) => join(folder, name)))).split('\n');
  return names.map((name, at) => `${objects[at]} ${name}`);
}

test('a second assembly gives the same', async () => {
  const isChanged = (await git('status', '--porcelain', '--', '.', ':!test')) !== '';
  // The release tree is of the working folder, which has the same source but while somebody works in it.
  if (isChanged) expect(await assemble(['--commit', '--ref', head])).toBe(commit);
  else {
    const objects = (await git('ls-tree', '-r', '--format=%(objectname) %(path)', commit)).split('\n');
    expect((await objectsOf(tree.path)).sort()).toEqual(objects.sort());
  }
});

test('the commit stands on its source, by the same people at the same time', async () => {
  const show = (id: string) => git('show', '--no-patch', '--date=raw', '--format=%cn %ce %cd', id);
  expect(await git('show', '--no-patch', '--format=%P', commit)).toBe(head);
  expect(await show(commit)).toBe(await show(head));
});

test('the workflows are those of the source', async () => {
  const workflows = (id: string) => git('rev-parse', `${id}:.github/workflows`);
  expect(await workflows(commit)).toBe(await workflows(head));
});

test('the commit has nothing of the source but what users need', async () => {
  const tops = new Set((await pathsOf(commit)).map((path) => path.split('/')[0]));
  for (const left of ['src', 'actions', 'test', 'scripts', 'workflows', 'package.json', 'node_modules', '.ci']) {
    expect(tops).not.toContain(left);
  }
});

test('no file of a release is a link', async () => {
  const modes = (await git('ls-tree', '-r', commit)).split('\n').map((line) => line.split(' ')[0]);
  expect(modes.filter((mode) => mode !== '100644' && mode !== '100755')).toEqual([]);
});

test('the files of a release', async () => {
  const files = await listFiles(tree.path);
  const scripts = files.filter((path) => /^[a-z-]+\/(?:main|post)\.mjs$/.test(path));
  const programs = (await actions()).flatMap((name) => [`${name}/README.md`, `${name}/action.yml`]).concat(scripts);
  for (const name of await actions()) {
    const text = await readFile(join(tree.path, name, 'action.yml'), 'utf8');
    for (const script of ['main', 'post']) {
      expect(scripts.includes(`${name}/${script}.mjs`)).toBe(text.includes(`${script}: "${script}.mjs"`));
    }
  }
  const expected = [...programs, ...COMPOSITES.flatMap((name) => [`${name}/README.md`, `${name}/action.yml`])];
  const others = files.filter(
    (path) => !/^(nix|docs|examples|\.github\/workflows)\/|^dist\/\d+\.index\.js$/.test(path),
  );
  const top = ['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'action.yml', 'flake.lock', 'flake.nix'];
  const dist = ['dist/index.js', 'dist/licenses.txt', 'dist/package.json'];
  expect(others).toEqual([...top, ...dist, ...expected].sort());
  expect(files).toContain('nix/default.nix');
  expect(files).toContain('.github/workflows/images.yml');
});

test('the action at the top is the composite one, and uses its sibling at the same commit', async () => {
  const text = await readFile(join(tree.path, 'action.yml'), 'utf8');
  expect(text).toContain('using: "composite"');
  expect(text).toContain('uses: "$/publish"');
});

test('the pages of a release are those of the source, without what only the source has', async () => {
  const page = await readFile(join(tree.path, 'README.md'), 'utf8');
  expect(page).toContain('](build/README.md)');
  expect(page).not.toMatch(/CONTRIBUTING|npm run/);
  expect(await readFile(join(tree.path, 'examples/workflows/matrix.yml'), 'utf8')).toContain('org/nix-images/plan@v1');
});

test('a release is small, as runners fetch it', async ({ annotate }) => {
  await using folder = await uniqueTempDir('archive');
  const archive = join(folder.path, 'tree.tar.gz');
  await runProgram('tar', ['-czf', archive, '-C', tree.path, '.']);
  const { size } = await stat(archive);
  await annotate(`${size} bytes as tar.gz`);
  expect(size).toBeLessThan(ARCHIVE_LIMIT);
});

/** AWS's clients, as they may add to what runners fetch; half of it is EC2's. */
const AWS_LIMIT = 650_000;

/** The files that one import of the bundle loads. */
const LOADS = /(?:__(?:nccwpck|webpack)_require__\.e\((?:\/\* import\(\) \*\/ )?\d+\)(?:, )?)+/g;

/** Names that AWS's clients send or check: ECR, ECR Public, EC2, SSM, S3 and STS. */
const CLIENT_NAMES =
  /AmazonEC2ContainerRegistry_V20150921|SpencerFrontendService|"Amazon(?:EC2|SSM|S3)"|AWSSecurityTokenServiceV20110615/;

/** The parts of the bundle that nothing but the import of a client of AWS's loads. */
const awsParts = async (): Promise<{ readonly name: string; readonly text: string }[]> => {
  const names = (await listFiles(tree.path)).flatMap((path) => /^dist\/((?:\d+\.)?index\.js)$/.exec(path)?.[1] ?? []);
  const parts = new Map<string, string>();
  for (const name of names) parts.set(name, await readFile(join(tree.path, 'dist', name), 'utf8'));
  const isClient = (name: string): boolean => CLIENT_NAMES.test(parts.get(name) ?? '');
  const reached = new Set(['index.js']);
  for (const name of reached) {
    for (const [load] of (parts.get(name) ?? '').matchAll(LOADS)) {
      const loaded = [...load.matchAll(/(\d+)\)/g)].map(([, number]) => `${number}.index.js`);
      if (!loaded.some(isClient)) for (const one of loaded) reached.add(one);
    }
  }
  return [...parts].filter(([name]) => !reached.has(name)).map(([name, text]) => ({ name, text }));
};

test("AWS's clients add little to a release", async ({ annotate }) => {
  const parts = await awsParts();
  const size = parts.reduce((sum, { text }) => sum + gzipSync(text).length, 0);
  await annotate(`${size} bytes packed, in ${parts.length} files`);
  expect(size).toBeGreaterThan(50_000);
  expect(size).toBeLessThan(AWS_LIMIT);
});

test("and are loaded by none but those who name a registry of AWS's", async () => {
  await using folder = await uniqueTempDir('loads');
  const layout = join(folder.path, 'image');
  const image = openRepository({ kind: 'oci', path: layout }, testDeps());
  await putIndex(image, 'v1');
  await image.commit();
  const [hook, list] = [join(folder.path, 'hook.mjs'), join(folder.path, 'loaded')];
  await writeFile(
    hook,
    `import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
registerHooks({ load: (url, context, next) => (appendFileSync(${JSON.stringify(list)}, url + '\\n'), next(url, context)) });`,
  );
  const parts = await awsParts();
  const loadedBy = async (...words: string[]): Promise<string[]> => {
    await writeFile(list, '');
    const env = { GITHUB_ACTIONS: undefined, DOCKER_CONFIG: '/nonexistent' };
    await runProgram(process.execPath, ['--import', hook, join(tree.path, 'dist/index.js'), ...words], { env });
    const urls = await readFile(list, 'utf8');
    expect(urls).toContain('dist/index.js');
    return parts.filter(({ name }) => urls.includes(`/dist/${name}`)).map(({ name }) => name);
  };
  expect(await loadedBy('--version')).toEqual([]);
  expect(await loadedBy('inspect', `oci:${layout}:v1`)).toEqual([]);
  expect(await loadedBy('copy', `oci:${layout}:v1`, '--to', `oci:${join(folder.path, 'copy')}:v1`)).toEqual([]);
  // Its name is refused before anything is asked.
  expect(await loadedBy('copy', `oci:${layout}:v1`, '--to', 'public.ecr.aws/acme/my__app')).not.toEqual([]);
});

test('the licences of what is bundled are there, those of development tools are not', async () => {
  const licences = await readFile(join(tree.path, 'dist/licenses.txt'), 'utf8');
  const names = [...licences.matchAll(/^-{80}\n(\S+) /gm)].map(([, name]) => name);
  expect(names).toEqual(expect.arrayContaining(['@actions/core', 'execa', 'undici', 'zod']));
  for (const tool of ['typescript', 'vitest', '@biomejs/biome', '@vercel/ncc']) expect(names).not.toContain(tool);
});

test('no file of the bundle names this machine', async () => {
  const files = (await listFiles(tree.path)).filter((path) => path.startsWith('dist/'));
  for (const path of files) expect(await readFile(join(tree.path, path), 'utf8')).not.toContain(ROOT);
});

test('the program in a release runs as a command line too', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const env = { GITHUB_ACTIONS: undefined };
  const { stdout } = await runProgram(process.execPath, [join(tree.path, 'dist/index.js'), '--version'], { env });
  expect(stdout.trim()).toBe(`nix-images ${version}`);
});

test('as an npm package it is one file, and npx runs it', async () => {
  await using folder = await uniqueTempDir('npm');
  const content = join(folder.path, 'content');
  await writeNpmPackage(tree.path, await readFile(join(ROOT, 'package.json'), 'utf8'), content);
  const npm = (args: readonly string[], cwd: string) =>
    runProgram('npm', args, { cwd, env: { GITHUB_ACTIONS: undefined, npm_config_cache: join(folder.path, 'cache') } });
  const packed = await npm(['pack', '--json', '--offline'], content);
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  const words = ['--offline', '--yes', '--package', join(content, filename), '--', 'nix-images'];
  const exec = (args: readonly string[]) => npm(['exec', ...words, ...args], folder.path);
  expect((await exec(['--version'])).stdout).toMatch(/^nix-images \d/);
  const { stdout, stderr, exitCode } = await exec(['publish', '.#app', '--to', 'ghcr.io/org/app later']);
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(
    /^See https:\/\/github\.com\/org\/nix-images\/blob\/v[\d.]+\/docs\/registries\.md#several-at-once$/m,
  );
});

/** A stand-in for what the flake needs of nixpkgs: a shell, a Node, and runCommand. */
const standIn = (busybox: string): string => `{
  outputs = _: {
    legacyPackages = builtins.listToAttrs (map (system: {
      name = system;
      value = {
        lib.licenses.mit = { };
        runtimeShell = "/bin/sh";
        nodejs_24 = derivation {
          name = "nodejs"; inherit system; builder = "/bin/sh";
          args = [ "-euc" "${busybox} mkdir -p $out/bin; ${busybox} ln -s ${process.execPath} $out/bin/node" ];
        };
        runCommand = name: environment: script: derivation ({
          inherit name system; builder = "/bin/sh"; args = [ "-euc" script ]; PATH = "/usr/bin:/bin";
        } // removeAttrs environment [ "meta" ]);
      };
    }) [ "x86_64-linux" "aarch64-linux" ]);
  };
}`;

test('as a flake it runs with `nix run`, with completions; the source says what to name', async () => {
  await using folder = await uniqueTempDir('nixpkgs');
  await writeFile(join(folder.path, 'flake.nix'), standIn('/bin/busybox'));
  const nix = (command: string, flake: string, ...args: string[]) => {
    const override = ['--override-input', 'nixpkgs', `path:${folder.path}`, '--no-write-lock-file'];
    const env = { NIX_CONFIG: TEST_NIX_CONFIG, GITHUB_ACTIONS: undefined };
    const words = [
      '--extra-experimental-features',
      'nix-command flakes',
      command,
      ...override,
      `path:${flake}`,
      ...args,
    ];
    return runProgram('nix', words, { env });
  };
  const { stdout, stderr } = await nix('run', tree.path, '--', '--version');
  expect(stdout, stderr).toMatch(/^nix-images \d/);
  const built = await nix('build', tree.path, '--no-link', '--json');
  const [{ outputs }] = JSON.parse(built.stdout) as [{ outputs: { out: string } }];
  const completions = await listFiles(join(outputs.out, 'share'));
  expect(completions).toEqual([
    'bash-completion/completions/nix-images',
    'fish/vendor_completions.d/nix-images.fish',
    'zsh/site-functions/_nix-images',
  ]);
  await using source = await uniqueTempDir('source');
  await cp(join(tree.path, 'nix'), join(source.path, 'nix'), { recursive: true });
  await cp(join(tree.path, 'flake.nix'), join(source.path, 'flake.nix'));
  expect((await nix('run', source.path, '--', '--version')).stderr).toContain(
    'name a release, such as github:org/nix-images/v1',
  );
});

test.each([
  [[], 'usage:'],
  [['--out', '/tmp/x', '--commit'], 'usage:'],
  [['--commit', '--branch', 'x'], "Unknown option '--branch'"],
  [['--commit', '--ref', 'no-such-branch'], 'no-such-branch'],
])('assemble %j is refused with what is wrong', async (args, message) => {
  const { exitCode, stderr } = await runAssemble(args);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('    at ');
});

test('assemble overwrites nothing', async () => {
  await using folder = await uniqueTempDir('taken');
  await writeFile(join(folder.path, 'mine'), '');
  const { exitCode, stderr } = await runAssemble(['--out', folder.path]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: `assemble: ${folder.path} is not empty\n` });
});
