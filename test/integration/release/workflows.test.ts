import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { actionlintPath } from '../../../scripts/setup/go-tools.mjs';
import { zizmorPath } from '../../../scripts/setup/python-tools.mjs';
import { readYaml } from '../../contract/yaml-subset.ts';
import { ROOT } from '../../support/cli.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';
import { actions, COMPOSITES } from './release.ts';

const yamlBelow = async (folder: string): Promise<string[]> =>
  (await readdir(join(ROOT, folder))).filter((name) => name.endsWith('.yml')).map((name) => `${folder}/${name}`);

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

const templates = (await readdir(join(ROOT, 'nix/templates'))).map((name) => `nix/templates/${name}/.github/workflows`);
const folders = ['workflows', '.github/workflows', ...templates];
const workflows = (await Promise.all(folders.map(yamlBelow))).flat().sort();
const metadata = [
  'action.yml',
  'actions/root/action.yml',
  ...[...(await actions()), ...COMPOSITES].map((name) => `actions/${name}/action.yml`),
];

/** Those that others call. */
const reusable = (text: string): boolean => /^ {2}workflow_call:/m.test(text);

test('reusable workflows have equal copies where GitHub looks for them', async () => {
  for (const path of await yamlBelow('workflows')) {
    const text = await read(path);
    if (reusable(text)) expect(await read(`.github/${path}`), path).toBe(text);
  }
});

test("what stands beside the copies is the project's own, and its name begins with a dot", async () => {
  const own = (await readdir(join(ROOT, 'workflows'))).map((name) => `.github/workflows/${name}`);
  const others = (await yamlBelow('.github/workflows')).filter((path) => !own.includes(path));
  for (const path of others) expect(path).toMatch(/\/\.[a-z0-9-]+\.yml$/);
});

test('actionlint has nothing to say but that it does not know $/', async () => {
  const config = join(ROOT, '.github/actionlint.yaml');
  const { exitCode, stdout, stderr } = await runProgram(actionlintPath(), ['-config-file', config, ...workflows], {
    cwd: ROOT,
  });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '', stderr: '' });
});

test('zizmor has nothing to say, in its pedantic mood', async () => {
  const options = ['--offline', '--pedantic', '--quiet', '--no-progress', '--config', '.github/zizmor.yml'];
  const files = [...workflows, ...metadata, '.github/dependabot.yml'];
  const { exitCode, stdout } = await runProgram(zizmorPath(), [...options, ...files], { cwd: ROOT });
  expect(exitCode, stdout).toBe(0);
});

test('third-party actions are pinned by commit, one version of each', async () => {
  const pins = new Map<string, Set<string>>();
  for (const path of [...workflows, ...metadata]) {
    for (const [, name = '', pin = ''] of (await read(path)).matchAll(/uses: ([\w-]+\/[\w./-]+)@(.*)$/gm)) {
      if (name.startsWith('org/nix-images')) continue;
      expect(pin, `${path}: ${name}`).toMatch(/^[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
      pins.set(name, (pins.get(name) ?? new Set()).add(pin));
    }
  }
  expect(pins.size).toBeGreaterThan(2);
  for (const [name, versions] of pins) expect([...versions], name).toHaveLength(1);
});

test('a job has the permissions that it names, and no others', async () => {
  for (const path of workflows) expect(await read(path), path).toMatch(/^permissions: \{\}$/m);
});

test('the project runs its own workflows on main and on requests to it, never in the release tree', async () => {
  for (const path of (await yamlBelow('.github/workflows')).filter((file) => file.includes('/.'))) {
    const text = await read(path);
    if (text.includes('\n  push:')) expect(text, path).toContain('\n  push:\n    branches: [main]\n');
  }
});

/** A step for each action that gives every input, in a workflow that actionlint checks against the actions' metadata. */
const callAll = async (): Promise<string> => {
  const steps: string[] = [];
  for (const name of await actions()) {
    const { inputs } = readYaml(await read(`actions/${name}/action.yml`)) as { inputs: Record<string, unknown> };
    const given = Object.keys(inputs).map((input) => `          ${input}: x\n`);
    steps.push(`      - uses: ./${name}\n        with:\n${given.join('')}`);
  }
  return `on: push\njobs:\n  all:\n    runs-on: ubuntu-latest\n    steps:\n${steps.join('')}`;
};

test('actionlint accepts the metadata of the actions where a release has them', async () => {
  await using folder = await uniqueTempDir('lint');
  for (const name of await actions())
    await cp(join(ROOT, 'actions', name), join(folder.path, name), { recursive: true });
  await mkdir(join(folder.path, '.github/workflows'), { recursive: true });
  const lint = async (text: string) => {
    await writeFile(join(folder.path, '.github/workflows/all.yml'), text);
    await runProgram('git', ['init', '--quiet'], { cwd: folder.path });
    return await runProgram(actionlintPath(), ['-no-color', '-oneline'], { cwd: folder.path });
  };
  const good = await callAll();
  expect((await lint(good)).stdout).toBe('');
  // It does look: an input that no action has is found.
  expect((await lint(good.replace('reference: x', 'reference: x\n          surprise: x'))).stdout).toContain(
    'surprise',
  );
});

test('the reusable workflow gives the actions inputs that they have', async () => {
  const text = await read('workflows/images.yml');
  for (const name of ['plan', 'build', 'publish']) {
    const { inputs } = readYaml(await read(`actions/${name}/action.yml`)) as { inputs: Record<string, unknown> };
    const step = new RegExp(`uses: \\$/${name}\\n +with:\\n((?: {10}.*\\n)+)`).exec(text)?.[1] ?? '';
    const given = [...step.matchAll(/^ {10}([a-z-]+):/gm)].map(([, input]) => input);
    expect(given.length).toBeGreaterThan(1);
    expect(Object.keys(inputs), name).toEqual(expect.arrayContaining(given));
  }
});
