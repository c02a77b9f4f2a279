import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ImageDiff } from '../../../src/diff/image-diff.ts';
import { compareVersions } from '../../../src/diff/package-name.ts';
import { cliData, runCli } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { runProgram } from '../../support/tools.ts';
import { copyFlake, type FlakeCopy } from '../plan/kit.ts';

let flake: FlakeCopy;

const BEFORE = { app: '1.9', libcrypto: '3.0.15', data: '1' };

/** Publishes the app in these versions to a layout of its own. */
async function publish(name: string, versions: Record<keyof typeof BEFORE, string>): Promise<string> {
  await flake.write(
    'versions.nix',
    `{ ${Object.entries(versions)
      .map(([key, version]) => `${key} = "${version}";`)
      .join(' ')} }`,
  );
  const place = `oci:${flake.path}/${name}:v1`;
  await cliData(['publish', `${flake.flake}#app`, '--to', place]);
  return place;
}

let before: string;
let leaf: string;
let library: string;

beforeAll(async () => {
  flake = await copyFlake('versions');
  before = await publish('before', BEFORE);
  leaf = await publish('leaf', { ...BEFORE, data: '2' });
  library = await publish('library', { ...BEFORE, libcrypto: '3.0.16' });
});

afterAll(async () => {
  await flake?.remove();
});

type Named = ImageDiff & { readonly name: string | null };

const compareAll = async (...sides: [string, string]): Promise<readonly Named[]> =>
  (await cliData<{ images: readonly Named[] }>(['diff', ...sides])).images;

async function compare(...sides: [string, string]): Promise<ImageDiff> {
  const [diff, ...more] = await compareAll(...sides);
  if (!diff || more.length > 0) throw new Error('one comparison was expected');
  return diff;
}

const told = ({ platforms }: ImageDiff): string[][] =>
  platforms.map(({ packages }) => packages?.map(({ name, kind }) => `${name} ${kind}`) ?? []);

test('a leaf that changes is one package, on both platforms', async () => {
  const diff = await compare(before, leaf);
  expect(diff.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
  expect(told(diff)).toEqual([['data upgraded'], ['data upgraded']]);
  const [amd] = diff.platforms;
  expect(amd?.packages?.[0]).toMatchObject({ old: [{ version: '1' }], new: [{ version: '2' }], bytes: 0 });
  expect(amd?.layers?.shared).toBe((amd?.layers?.count ?? 0) - 1);
  expect(amd?.old?.closure).toBeGreaterThan(0);
});

test('a library that changes is one package, and rebuilds what is over it', async () => {
  expect(told(await compare(before, library))).toEqual([
    ['app rebuilt', 'libcrypto upgraded'],
    ['app rebuilt', 'libcrypto upgraded'],
  ]);
});

test('what a flake would make is compared as if it were published', async () => {
  const published = await compare(before, library);
  const evaluated = await compare(before, `${flake.flake}#app`);
  expect(told(evaluated)).toEqual(told(published));
  expect(evaluated.platforms.map(({ new: now }) => now?.closure)).toEqual(
    published.platforms.map(({ new: now }) => now?.closure),
  );
  expect(evaluated.platforms.map(({ layers }) => layers)).toEqual([null, null]);
});

test('the changed packages are those that nix store diff-closures names', async () => {
  const paths = await Promise.all(
    [before, library].map(async (place) => {
      const { images } = await cliData<{ images: { layers: { storePaths: string[] }[] }[] }>(['inspect', place]);
      return images[0]?.layers.flatMap((layer) => layer.storePaths) ?? [];
    }),
  );
  const [old = '', now = ''] = paths.map((list) => list.find((path) => path.endsWith('-app-1.9')) ?? '');
  const nix = {
    env: { NIX_CONFIG: TEST_NIX_CONFIG.replace('experimental-features =', 'experimental-features = nix-command') },
  };
  const { stdout } = await runProgram('nix', ['store', 'diff-closures', old, now], nix);
  // It names versions that changed, and passes over what was rebuilt at the same size.
  expect(stdout.trim()).toBe('libcrypto: 3.0.15 → 3.0.16');
});

test('the images of a plan are compared with what is published under their names', async () => {
  const file = `${flake.path}/plan.json`;
  await writeFile(file, (await runCli(['plan', flake.flake, '--json'])).stdout);
  // The flake is at the changed library now.
  const place = before.replace('/before', '/{name}').replace(/:v1$/, ':before');
  await cliData(['copy', before, '--to', place.replace('{name}', 'app')]);
  const [diff, ...more] = await compareAll(place, `@${file}`);
  expect([diff?.name, more, diff && told(diff)]).toEqual(['app', [], told(await compare(before, library))]);

  const [fresh] = await compareAll(place.replace('before', 'unknown'), `@${file}`);
  expect(fresh?.platforms.map(({ old, packages }) => [old, packages])).toEqual([
    [null, null],
    [null, null],
  ]);
  expect((await runCli(['diff', place, `@${file}`])).stdout).toMatch(/^app\nold /);
});

test.each([
  ['a name without a plan', () => [before.replace('before', '{name}'), before], 'needs a plan on the other side'],
  ['one image beside a plan', () => [before, `@${flake.path}/plan.json`], 'the plan may have several'],
  ['a plan that is not there', () => [before, '@nowhere.json'], 'nowhere.json cannot be read'],
])('%s is an error that says so', async (_name, sides, message) => {
  const { exitCode, stderr } = await runCli(['diff', ...sides()]);
  expect([exitCode, stderr]).not.toEqual([0, stderr]);
  expect(stderr).toMatch(/^hint: /m);
  expect(stderr).toContain(message);
});

test('an image of another kind, or none, is an error that says so', async () => {
  const { exitCode, stderr } = await runCli(['diff', before, `${flake.flake}#nothing`]);
  expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/nothing[\s\S]*hint: /)]);
  expect((await runCli(['diff', before])).stderr).toContain('NEW is missing');
});

test('versions compare as Nix compares them', async () => {
  const parts = ['1', '2', '10', 'pre', 'a', 'rc', ''];
  const versions = parts.flatMap((a) => parts.map((b) => `1.${a}${b}`));
  const pairs = versions.flatMap((a) => versions.map((b) => [a, b] as const));
  const expression = 'map (pair: builtins.compareVersions (builtins.elemAt pair 0) (builtins.elemAt pair 1))';
  const list = `[ ${pairs.map(([a, b]) => `[ "${a}" "${b}" ]`).join(' ')} ]`;
  const nix = { env: { NIX_CONFIG: TEST_NIX_CONFIG } };
  const { stdout } = await runProgram(
    'nix-instantiate',
    ['--eval', '--strict', '--json', '--expr', `${expression} ${list}`],
    nix,
  );
  expect(pairs.map(([a, b]) => Math.sign(compareVersions(a, b)))).toEqual(JSON.parse(stdout));
});
