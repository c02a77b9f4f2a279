import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { bundledPackages, inLatin1 } from '../../../scripts/assemble/bundle.ts';
import type { TreeEntry } from '../../../scripts/assemble/git.ts';
import { actionNames, pageInRelease, placeFiles } from '../../../scripts/assemble/release-tree.ts';

const files = (...paths: string[]): TreeEntry[] => paths.map((path) => ({ mode: '100644', object: path, path }));

const ACTION = 'actions/build/action.yml';

const placesOf = (entries: readonly TreeEntry[]) =>
  Object.fromEntries(placeFiles(entries).map(({ from, path }) => [from.path, path]));

test('actions stand at the top, and nothing that a release has no use for stands in it', () => {
  const source = files(
    ...[ACTION, 'actions/build/main.mjs', 'actions/root/action.yml', 'actions/dist/index.js', 'action.yml'],
    ...[
      'src/main.ts',
      'test/a.test.ts',
      'scripts/a.ts',
      'workflows/images.yml',
      'package.json',
      '.github/dependabot.yml',
    ],
    ...[
      'workflows/matrix.yml',
      'SECURITY.md',
      'nix/default.nix',
      'flake.nix',
      'flake.lock',
      'README.md',
      'LICENSE',
      'docs/cli.md',
      '.github/workflows/a.yml',
    ],
  );
  expect(placesOf(source)).toEqual({
    [ACTION]: 'build/action.yml',
    'actions/build/main.mjs': 'build/main.mjs',
    'actions/root/action.yml': 'action.yml',
    'nix/default.nix': 'nix/default.nix',
    'flake.nix': 'flake.nix',
    'flake.lock': 'flake.lock',
    'workflows/matrix.yml': 'examples/workflows/matrix.yml',
    'SECURITY.md': 'SECURITY.md',
    'README.md': 'README.md',
    LICENSE: 'LICENSE',
    'docs/cli.md': 'docs/cli.md',
    '.github/workflows/a.yml': '.github/workflows/a.yml',
  });
  expect(actionNames(source)).toEqual(['build']);
});

test.each([
  [files('src/main.ts'), 'no action below actions/'],
  [[...files(ACTION), { mode: '120000', object: 'x', path: 'nix/result' }], 'nix/result is a link'],
  [[...files(ACTION), { mode: '160000', object: 'x', path: 'nix/other' }], 'nix/other is a link'],
  [files('actions/dist/action.yml'), 'an action cannot be called dist'],
  [files('actions/docs/action.yml', 'actions/docs/cli.md', 'docs/cli.md'), 'would both be docs/cli.md'],
])('a source that is not fit for a release is refused: %#', (source, message) => {
  expect(() => placeFiles(source)).toThrow(message);
});

test.each([
  ['[build](actions/build/README.md)', '[build](build/README.md)'],
  ['[build](../actions/build/README.md)', '[build](../build/README.md)'],
  ['[GitHub](https://github.com/actions/checkout)', '[GitHub](https://github.com/actions/checkout)'],
  ['`actions/build`', '`actions/build`'],
  ['[jobs](../workflows/matrix.yml)', '[jobs](../examples/workflows/matrix.yml)'],
  ['a\n\n<!-- source only -->\n\n[b](CONTRIBUTING.md)\n\n<!-- /source only -->\n', 'a\n'],
])('a page in a release leads to where things are there: %j', (page, expected) => {
  expect(pageInRelease(page)).toBe(expected);
});

test('the packages in a bundle are found, nested ones too, and what the bundler put in is not one', () => {
  const up = '../../../../../node_modules';
  const modules = [
    { name: './src/main.js', modules: [{ name: `${up}/zod/v4/core.js` }, { name: `${up}/@actions/core/lib/core.js` }] },
    { name: `${up}/a/node_modules/@b/c/index.js + 3 modules` },
    { name: `${up}/@vercel/ncc/dist/ncc/@@notfound.js?kerberos` },
    { name: 'external "node:fs"' },
    {},
  ];
  const names = ['@actions/core', 'a/node_modules/@b/c', 'zod'];
  expect(bundledPackages(modules)).toEqual(names.map((name) => `node_modules/${name}`));
});

test('a script in Latin-1 does what it did', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a script.
  const script = "/* – */ ['…', `▸ ${'é'}`, /^[–—𝄞]$/u.test('𝄞'), {'ключ': 1}.ключ, '\\…\\\\…', /^\\–$/.test('–')]";
  const ascii = inLatin1(script);
  expect(ascii).toMatch(/^[\0-\xff]*$/);
  expect(runInNewContext(ascii)).toEqual(['…', '▸ é', true, 1, '…\\…', true]);
  expect(() => inLatin1('String.raw`a…`')).toThrow('cannot be written in Latin-1');
});
