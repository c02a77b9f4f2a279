import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { actionlintPath } from '../../../scripts/setup/go-tools.mjs';
import { zizmorPath } from '../../../scripts/setup/python-tools.mjs';
import { ROOT } from '../../support/root.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';
import { readYaml } from '../../support/yaml.ts';
import { actions, COMPOSITES } from './kit.ts';

const yamlBelow = async (folder: string): Promise<string[]> =>
  (await readdir(join(ROOT, folder))).filter((name) => name.endsWith('.yml')).map((name) => `${folder}/${name}`);

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

const templates = (await readdir(join(ROOT, 'nix/templates'))).map((name) => `nix/templates/${name}/.github/workflows`);
const folders = ['workflows', '.github/workflows', 'examples/workflows', ...templates];
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
  const called = /^(?:\.github\/)?workflows\/(?:images|images-oidc|build)\.yml$/;
  for (const path of workflows.filter((one) => !called.test(one)))
    expect(await read(path), path).toMatch(/^permissions: \{\}$/m);
  for (const path of workflows.filter((one) => called.test(one))) {
    const jobs = (await read(path)).split('\njobs:\n')[1]?.split(/^(?= {2}[a-z-]+:$)/m) ?? [];
    for (const job of jobs.filter((text) => /^ {2}[a-z-]+:$/m.test(text))) {
      const [id] = /^ {2}[a-z-]+/m.exec(job) ?? [];
      // These have what the caller grants, or GitHub would refuse callers that grant less than they ask for; they run nothing else.
      if (id?.trim() === 'cache') expect(job.match(/uses: .*/g), path).toEqual(['uses: $/cache-merge']);
      else if (id?.trim() === 'publish' && /images(?:-oidc)?\.yml$/.test(path)) {
        expect([job.match(/(?:uses|run): .*/g), job.includes('permissions:')], path).toEqual([
          ['uses: $/publish'],
          false,
        ]);
      } else expect(job, `${path}: ${id}`).toMatch(/^ {4}permissions:/m);
    }
  }
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

/** Inputs of the actions that the reusable workflows do not pass on, and why. */
const NOT_PASSED_ON: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  setup: {},
  plan: {
    'changed-since': '`tags` say what to compare with',
    store: 'jobs on several machines have a store each; `nix-config` may name one',
    'eval-store': 'see store',
    builders: 'a line of `nix-config`',
    token: 'its default is right',
  },
  build: {
    'staging-tag': 'its default is right',
    recompress: 'for trials by hand',
    positions: 'a file is of one disk, and what is published of it has them',
    'boot-with': 'its default is right',
    consoles: 'without it they are artifacts of the run',
    timings: 'a file of the runner, for a look into one job',
    store: 'see plan',
    'eval-store': 'see plan',
    builders: 'see plan',
    token: 'its default is right',
  },
  update: {
    store: 'see plan',
    'eval-store': 'see plan',
    builders: 'see plan',
    token: 'its default is right',
  },
  'deploy-ami': {
    image: 'each disk has its own name',
    description: 'its default is right',
    'uefi-data': 'nothing is checked out there',
    ...Object.fromEntries(['journal', 'manifest'].map((name) => [name, 'they are artifacts of the run'])),
    undo: 'for a run by hand',
    state: 'a published disk has its list of blocks',
    from: 'nothing is handed over there',
    'reuse-from': 'see from',
    patience: 'its default is right',
    ...Object.fromEntries(
      ['google-provider', 'google-service-account', 'docker-hub-connection'].map((name) => [
        name,
        'a password will do',
      ]),
    ),
    token: 'its default is right',
  },
  publish: {
    ...Object.fromEntries(
      ['installable', 'from', 'image', 'system', 'file', 'attr'].map((name) => [name, 'the plan says what to publish']),
    ),
    ...Object.fromEntries(
      [
        'build-missing',
        'nix-arg',
        'allow-import-from-derivation',
        'require-lock',
        'store',
        'eval-store',
        'builders',
      ].map((name) => [name, 'nothing is evaluated or built there']),
    ),
    ...Object.fromEntries(
      ['created', 'run-annotations', 'recompress', 'boot-with', 'consoles'].map((name) => [
        name,
        'no image is made there',
      ]),
    ),
    verify: 'for a check by hand',
    'handover-digest': 'a matrix has no output for each of its jobs',
    timings: 'a file of the runner, for a look into one job',
    token: 'its default is right',
  },
};

/** What needs `id-token: write`, for which images-oidc.yml is there. */
const ONLY_BY_OIDC = ['aws-role', 'google-provider', 'google-service-account', 'docker-hub-connection'];

/** Of `build`, what the workflow that publishes nothing does without. */
const ONLY_TO_PUBLISH = ['retention-days', 'create-repository', 'repository-settings'];

test.each([
  ['images', ['setup', 'plan', 'build', 'publish']],
  ['images-oidc', ['setup', 'plan', 'build', 'publish']],
  ['build', ['setup', 'plan', 'build']],
  ['rebuild', ['update']],
  ['amis', ['deploy-ami']],
])('%s.yml gives each action all its inputs, but for those that have a reason', async (file, names) => {
  const text = await read(`workflows/${file}.yml`);
  for (const name of names) {
    const [metadata = ''] = (await read(`actions/${name}/action.yml`)).split('\noutputs:');
    const known = [...metadata.matchAll(/^ {2}([a-z-]+):$/gm)].map(([, input = '']) => input);
    const steps = [...text.matchAll(new RegExp(`uses: \\$/${name}\\n +with:\\n((?: {10}.*\\n)+)`, 'g'))];
    const given = steps.flatMap(([, step = '']) =>
      [...step.matchAll(/^ {10}([a-z-]+):/gm)].map(([, input = '']) => input),
    );
    const left = [...Object.keys(NOT_PASSED_ON[name] ?? {}), ...(file === 'build' ? ONLY_TO_PUBLISH : [])];
    if (!['images-oidc', 'amis'].includes(file)) left.push(...ONLY_BY_OIDC);
    const due = known.filter((input) => !left.includes(input));
    expect([...new Set(given)].sort(), `${file}: ${name}`).toEqual(due.sort());
  }
});

test('the action at the top gives plan what it gives publish, and images to choose', async () => {
  const [head = '', steps = ''] = (await read('actions/root/action.yml')).split('\nruns:');
  const { inputs } = readYaml(head) as { readonly inputs: Readonly<Record<string, unknown>> };
  const [, step = ''] = /id: "plan"\n[\s\S]*?with:\n((?: {8}.*\n)+)/.exec(steps) ?? [];
  const given = [...step.matchAll(/^ {8}([a-z-]+):/gm)].map(([, input = '']) => input);
  expect(given).toEqual(expect.arrayContaining(['flake', 'images', 'systems', 'require-lock', 'nix-arg', 'builders']));
  expect(given).toEqual(
    expect.arrayContaining(['allow-missing', 'allow-import-from-derivation', 'eval-store', 'store']),
  );
  for (const [, input = ''] of step.matchAll(/inputs\.([a-z-]+)/g)) expect(inputs).toHaveProperty([input]);
});

const images = await read('workflows/images.yml');

/** Inputs of images.yml that the workflows which call it decide by themselves. */
const DECIDED: Readonly<Record<string, readonly string[]>> = {
  // What a pull request publishes, from which commit and under which tags, is what a preview is.
  preview: ['tags', 'publish', 'force', 'fresh', 'reuse', 'move-back', 'ref'],
  // All is made again, of the base's newest commit, with a date of its own; `folder` is the flake.
  rebuild: [
    ...['flake', 'ref', 'publish', 'force', 'fresh', 'reuse', 'reuse-from', 'created', 'move-back', 'require-lock'],
    ...['retention-days', 'delete-handovers'],
  ],
};

test.each(
  Object.entries(DECIDED),
)('%s.yml passes on what images.yml takes, but for what it decides', async (file, own) => {
  const inputsOf = (text: string): string[] => {
    const [, block = ''] = /\n {4}inputs:\n([\s\S]*?)\n {4}secrets:/.exec(text) ?? [];
    return [...block.matchAll(/^ {6}([a-z-]+):$/gm)].map(([, name = '']) => name);
  };
  const text = await read(`workflows/${file}.yml`);
  const [, call = ''] =
    /uses: \$\/\.github\/workflows\/images\.yml\n {4}with:\n([\s\S]*?)\n {4}secrets:/.exec(text) ?? [];
  const passed = [...call.matchAll(/^ {6}([a-z-]+): \$\{\{ inputs\.\1 \}\}$/gm)].map(([, name = '']) => name);
  const due = inputsOf(images).filter((name) => !own.includes(name));
  expect(due.length).toBeGreaterThan(30);
  expect(inputsOf(text)).toEqual(expect.arrayContaining(due));
  expect(passed.sort()).toEqual(due.sort());
});

/** The lines of a job. */
const jobIn = (text: string, id: string): string =>
  new RegExp(`^  ${id}:\\n((?:(?: {4}.*)?\\n)+)`, 'm').exec(text.slice(text.indexOf('\njobs:')))?.[1] ?? '';

test('the workflow that only builds is the other one without what publishes', async () => {
  const build = await read('workflows/build.yml');
  const known = new Set(images.split('\n'));
  const own = build.split('\n').filter((line) => !known.has(line));
  // What it is, its name, `to`, the permission to read, `handover: none`, and the check without a publish.
  expect(own.length).toBeLessThan(12);
  expect(build).not.toContain(': write');
  expect(build).toContain('          handover: none\n');
  for (const id of ['plan', 'build']) expect(jobIn(build, id).length).toBeGreaterThan(1000);
});

test('the workflow that logs in by OIDC is the other one, with the right to it in the jobs that speak to registries', async () => {
  const oidc = await read('workflows/images-oidc.yml');
  const known = new Set(images.split('\n'));
  const own = oidc.split('\n').filter((line) => !known.has(line) && !/^#/.test(line));
  expect(own.filter((line) => !/aws-role|google-|docker-hub-connection|description: /.test(line))).toEqual(
    Array(2).fill('      id-token: write # to log in by OIDC'),
  );
  for (const id of ['plan', 'build']) expect(jobIn(oidc, id)).toContain('id-token: write');
  // What the caller grants, which is the right to it, or GitHub refuses the call.
  expect(jobIn(oidc, 'publish')).not.toContain('permissions:');
  expect(jobIn(oidc, 'images')).toContain('permissions: {}');
  for (const path of ['images', 'build', 'matrix'])
    expect(await read(`workflows/${path}.yml`)).not.toContain('id-token');
});

test('pushes that follow one another are published one by one, and none is cancelled for the next', async () => {
  const group =
    /concurrency:\n +group: nix-images-publish-\$\{\{ inputs\.to \}\}-\$\{\{ github\.ref \}\}\n +queue: max\n/;
  expect(jobIn(images, 'publish')).toMatch(group);
  for (const path of workflows) expect(await read(path), path).not.toMatch(/nix-images[\s\S]*cancel-in-progress: true/);
});

test('the token of the run is no password for a registry, and a user name no secret', () => {
  expect(images).not.toMatch(/password: .*github\.token/);
  expect(images).not.toContain('login-action');
  expect(images).not.toContain('secrets.registry-username');
  expect(jobIn(images, 'publish')).toContain("needs.plan.result == 'success'");
  expect(images).toMatch(/jobs\.publish\.outputs\.digests \|\| '\{\}'/);
});

const PASSED = {
  PLAN: 'success',
  BUILD: 'success',
  PUBLISH: 'success',
  TO_BUILD: 'true',
  TO_PUBLISH: 'true',
  COMPLETE: 'true',
};

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['all is well', {}, ''],
  ['nothing had to be built', { BUILD: 'skipped', TO_BUILD: 'false' }, ''],
  ['nothing was to be published', { PUBLISH: 'skipped', TO_PUBLISH: 'false' }, ''],
  [
    'the plan failed',
    { PLAN: 'failure', BUILD: 'skipped', PUBLISH: 'skipped', TO_BUILD: '', TO_PUBLISH: '' },
    'plan did',
  ],
  ['the plan was cancelled', { PLAN: 'cancelled' }, 'plan did'],
  ['the plan got lost', { HAS_PLAN: 'false' }, 'got lost'],
  ['a build failed', { BUILD: 'failure' }, 'build job'],
  ['a build that was needed was skipped', { BUILD: 'skipped' }, 'build job'],
  ['an image could not be planned', { COMPLETE: 'false' }, 'could be planned'],
  ['publish failed', { PUBLISH: 'failure' }, 'published'],
  ['publish was skipped, and should have run', { PUBLISH: 'skipped' }, 'published'],
])('the check for branch protection where %s', async (_name, change, message) => {
  const script = /run: \|\n([\s\S]*)$/.exec(jobIn(images, 'images'))?.[1] ?? '';
  const env = { ...PASSED, HAS_PLAN: 'true', ...change };
  const { exitCode, stdout } = await runProgram('bash', ['-e', '-c', script], { env });
  expect({ exitCode, stdout }).toEqual({
    exitCode: message === '' ? 0 : 1,
    stdout: expect.stringContaining(message === '' ? 'plan success' : message),
  });
});

test('what users copy is short', async () => {
  const readme = await read('README.md');
  const [, yaml = ''] = /```yaml workflow\n(# Builds every image[\s\S]*?)```/.exec(readme) ?? [];
  expect(yaml.split('\n').length).toBeLessThan(25);
  expect(yaml).toContain('uses: org/nix-images/.github/workflows/images.yml@v1');
  const oidc = await read('examples/workflows/ghcr-ecr-public-oidc.yml');
  expect(oidc.trimEnd().split('\n').length).toBeLessThanOrEqual(yaml.trimEnd().split('\n').length + 12);
  for (const path of await yamlBelow('examples/workflows')) {
    expect((await read(path)).trimEnd().split('\n').length, path).toBeLessThanOrEqual(30);
  }
  for (const name of ['preview', 'rebuild', 'retention'])
    expect((await read(`examples/workflows/${name}.yml`)).trimEnd().split('\n').length, name).toBeLessThanOrEqual(20);
});

test('the examples and templates give the reusable workflows inputs and secrets that they have', async () => {
  for (const path of workflows.filter((file) => /examples|templates/.test(file))) {
    const text = await read(path);
    for (const [, file = '', given = ''] of text.matchAll(
      /uses: org\/nix-images\/\.github\/workflows\/([\w-]+)\.yml@v1\n((?: {4}.*\n?)*)/g,
    )) {
      const called = (await read(`workflows/${file}.yml`)).split('\njobs:')[0] ?? '';
      const names = [...given.matchAll(/^ {6}([a-z-]+): /gm)].map(([, name]) => name ?? '');
      const known = [...called.matchAll(/^ {6}([a-z-]+):$/gm)].map(([, name]) => name ?? '');
      expect(names.length, path).toBeGreaterThan(0);
      expect(known, path).toEqual(expect.arrayContaining(names));
    }
  }
});

const REBUILT = { MODE: 'update', UPDATE: 'success', PUBLISH: 'skipped', BUILD: 'skipped', DUE: 'false' };

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['nothing is due', {}, ''],
  ['what is due was published', { DUE: 'true', PUBLISH: 'success' }, ''],
  ['the update failed', { UPDATE: 'failure', DUE: '' }, 'update did'],
  ['what is due was not published', { DUE: 'true', PUBLISH: 'failure' }, 'was not published'],
  ['everything builds', { MODE: 'build', UPDATE: 'skipped', BUILD: 'success', DUE: '' }, ''],
  ['something does not build', { MODE: 'build', UPDATE: 'skipped', BUILD: 'failure', DUE: '' }, 'image builds'],
  ['the mode is misspelt, so nothing ran', { MODE: 'udpate', UPDATE: 'skipped', DUE: '' }, 'not a mode'],
])('the check of a rebuild where %s', async (_name, change, message) => {
  const script = /run: \|\n([\s\S]*)$/.exec(jobIn(await read('workflows/rebuild.yml'), 'mode'))?.[1] ?? '';
  const { exitCode, stdout } = await runProgram('bash', ['-e', '-c', script], { env: { ...REBUILT, ...change } });
  expect({ exitCode, stdout }).toEqual({
    exitCode: message === '' ? 0 : 1,
    stdout: expect.stringContaining(message === '' ? 'update ' : message),
  });
});
