import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { readTree, type SourceFile } from '../support/source-files.ts';

const sources = (await readTree('src')).filter(({ path }) => path.endsWith('.ts'));

/** Folders that meet the world; everything else in src/ is domain code and gets what it needs as arguments. */
const isFace = ({ path }: SourceFile) => /^src\/(host|commands)\//.test(path) || path === 'src/main.ts';

const IMPORT = /(?<!')(?:from|import)\s*\(?\s*'([^']+)'/g;

const importsOf = ({ text }: SourceFile): string[] => [...text.matchAll(IMPORT)].map(([, name = '']) => name);

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

const pathsOf = (files: readonly SourceFile[]) => files.map(({ path }) => path);

test('there are sources to look at', () => {
  expect(sources.length).toBeGreaterThan(20);
});

/**
 * Which folders of src/ a folder may import, besides itself and those above it (`storage` for `storage/layout`). A new
 * arrow is a decision: it is made here and told in docs/architecture.md.
 */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  core: [],
  oci: ['core'],
  tar: ['core'],
  definition: ['core', 'oci', 'tar'],
  layer: ['core', 'oci', 'tar', 'definition'],
  storage: ['core', 'oci', 'tar'],
  'storage/registry': ['core', 'oci'],
  'storage/registry/fetch': ['core', 'storage/registry/auth'],
  'storage/registry/auth': ['core', 'oci'],
  'storage/registry/upload': ['core', 'oci', 'storage/registry/fetch'],
  'storage/layout': ['core', 'oci'],
  'storage/archive': ['core', 'oci', 'tar', 'storage/layout'],
  erofs: ['core'],
  aws: ['core', 'github'],
  oidc: ['core', 'github'],
  disk: ['core', 'oci', 'layer'],
  ebs: ['core', 'oci', 'disk', 'aws'],
  'make-disk': ['core', 'oci', 'definition', 'erofs', 'disk'],
  'boot-test': ['core', 'oci', 'definition', 'test-run'],
  nix: ['core', 'oci', 'definition'],
  'disk-places': ['core', 'oci', 'tar', 'definition', 'layer', 'storage', 'disk', 'github'],
  machine: ['core', 'oci', 'nix'],
  cache: ['core', 'oci', 'definition', 'storage', 'nix'],
  ami: ['core', 'oci', 'disk', 'aws'],
  github: ['core', 'oci', 'cache'],
  image: ['core', 'oci', 'tar', 'definition', 'layer', 'storage', 'nix', 'test-run'],
  serve: ['core', 'oci', 'tar', 'definition', 'layer', 'storage', 'nix', 'image'],
  engine: ['core', 'oci'],
  'test-run': ['core', 'oci', 'tar', 'definition', 'storage'],
  'disk-image': [
    ...['core', 'oci', 'definition', 'erofs', 'disk', 'make-disk', 'layer', 'storage', 'nix', 'image', 'test-run'],
  ],
  inspect: ['core', 'oci', 'definition', 'erofs', 'storage'],
  diff: ['core', 'oci', 'definition', 'inspect'],
  preview: ['core', 'oci', 'diff'],
  handover: ['core', 'oci', 'definition', 'storage', 'image', 'test-run'],
  plan: ['core', 'oci', 'definition', 'storage', 'nix', 'handover'],
  prune: ['core', 'oci', 'storage', 'channel', 'cache', 'github', 'aws', 'ami'],
  update: ['core', 'oci', 'diff', 'plan'],
  channel: ['core', 'oci', 'storage'],
  publish: [
    'core',
    'oci',
    'definition',
    'storage',
    'channel',
    'nix',
    'image',
    'disk-image',
    'handover',
    'test-run',
    'github',
  ],
  promote: ['core', 'oci', 'storage', 'inspect', 'channel', 'publish'],
};

/** `storage/registry/auth` for a file in it, and the same without its last parts for folders that have no line of their own. */
const folderOf = (path: string): string => {
  const parts = path
    .replace(/^src\//, '')
    .split('/')
    .slice(0, -1);
  while (parts.length > 1 && !(parts.join('/') in MAY_USE)) parts.pop();
  return parts.join('/');
};

const isWithin = (folder: string, other: string): boolean => folder === other || folder.startsWith(`${other}/`);

/** The files of src/ that a file imports, types too. */
const filesUsedBy = (file: SourceFile): string[] =>
  importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => posix.join(posix.dirname(file.path), name));

test('folders use what the table allows', () => {
  const wrong = sources
    .filter((file) => !isFace(file))
    .flatMap((file) => {
      const folder = folderOf(file.path);
      const allowed = MAY_USE[folder] ?? [];
      return filesUsedBy(file)
        .filter((used) => {
          const other = folderOf(used);
          return !isWithin(folder, other) && !isWithin(other, folder) && !allowed.some((name) => isWithin(other, name));
        })
        .map((used) => `${file.path} uses ${used}`);
    });
  expect(wrong).toEqual([]);
});

test('every folder of domain code has its line in the table', () => {
  const folders = new Set(sources.filter((file) => !isFace(file)).map(({ path }) => folderOf(path)));
  expect([...folders].filter((folder) => !(folder in MAY_USE))).toEqual([]);
});

test('no circles: no file imports itself by way of others, types included', () => {
  const uses = new Map(sources.map((file) => [file.path, filesUsedBy(file)]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path);
    if (at >= 0) circles.push([...way.slice(at), path].join(' > '));
    if (at >= 0 || done.has(path)) return;
    for (const used of uses.get(path) ?? []) visit(used, [...way, path]);
    done.add(path);
  };
  for (const path of uses.keys()) visit(path, []);
  expect(circles).toEqual([]);
});

test('what tests share imports no test, and benchmarks import none either', async () => {
  const shared = (await Promise.all(['test/support', 'test/emulators', 'test/fixtures', 'bench'].map(readTree))).flat();
  const code = shared.filter(({ path }) => /\.m?ts$/.test(path));
  expect(code.length).toBeGreaterThan(20);
  const wrong = code.filter((file) =>
    filesUsedBy(file).some((used) => /^test\/(?:unit|contract|integration|e2e)\//.test(used)),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('src/host does not import commands', () => {
  const wrong = sources.filter(
    (file) => file.path.startsWith('src/host/') && importsOf(file).some((name) => name.includes('/commands/')),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('definition/, oci/ and core/ do no I/O: they import no file system, network or child processes', () => {
  const world = /^node:(fs|fs\/promises|net|http|https|http2|child_process|worker_threads|process)$/;
  const wrong = sources.filter(
    (file) => /^src\/(core|oci|definition)\//.test(file.path) && importsOf(file).some((name) => world.test(name)),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('only src/host reads process.env and imports @actions/core', () => {
  const wrong = sources.filter(
    (file) =>
      !file.path.startsWith('src/host/') &&
      (/\bprocess\s*\.\s*env\b/.test(withoutComments(file.text)) ||
        importsOf(file).some((name) => name.startsWith('@actions/'))),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('the command line does not load @actions/core', () => {
  const wrong = sources.filter(({ text }) => /^import\s+(?!type\b)[^;]*'@actions\//m.test(text));
  expect(pathsOf(wrong)).toEqual([]);
});

/** What a program has to load for a file: the files of src/ and packages, without what only types are imported from. */
function loadedFor(path: string, found: Set<string> = new Set()): ReadonlySet<string> {
  if (found.has(path)) return found;
  found.add(path);
  const text = sources.find((file) => file.path === path)?.text ?? '';
  for (const [, , name = ''] of text.matchAll(/^(import|export) (?!type )[^;]*?from '([^']+)';/gm)) {
    if (name.startsWith('.')) loadedFor(posix.join(posix.dirname(path), name), found);
    else if (!name.startsWith('node:')) found.add(name);
  }
  return found;
}

test("a layer's thread loads no package: there may be sixteen of them, and zod alone takes 3 MB in each", () => {
  const loaded = [...loadedFor('src/layer/serve-layers.ts')];
  expect(loaded).toContain('src/oci/digest.ts');
  expect(loaded.filter((name) => !name.startsWith('src/'))).toEqual([]);
});

test("AWS's clients are loaded for registries of AWS and for AMIs alone", () => {
  const clients = sources.filter((file) => importsOf(file).some((name) => name.startsWith('@aws-sdk/')));
  expect(pathsOf(clients)).toEqual(
    [
      'aws-keys',
      'ec2-client',
      'ecr-private',
      'ecr-public',
      'gallery-page',
      'import-client',
      'instance-client',
      'lifecycle-client',
      'open-cloud',
      'permission-probe',
      's3-client',
      'ssm-client',
      'web-identity',
    ].map((name) => `src/aws/${name}.ts`),
  );
  // The others are loaded by these alone.
  const loads = sources.filter(({ text }) => /^import[^;]*\/(?:ecr-private|ecr-public|open-cloud)\.ts'/m.test(text));
  expect(pathsOf(loads)).toEqual([]);
  const imports = sources.filter(({ text }) => /^import\s+(?!type\b)[^;]*\/open-imports\.ts'/m.test(text));
  expect(pathsOf(imports)).toEqual([]);
});

test("GitHub's clients for caches and REST are loaded where they are asked, and only then", () => {
  const clients = sources.filter((file) => importsOf(file).some((name) => /^@octokit\/|^@actions\/cache$/.test(name)));
  expect(pathsOf(clients).sort()).toEqual([
    'src/github/rest/caches.ts',
    'src/github/rest/octokit.ts',
    'src/github/rest/packages.ts',
    'src/github/rest/pull-requests.ts',
    'src/host/cache-transfer.ts',
  ]);
  const loads = sources.filter(({ text }) => /^import\s+(?!type\b)[^;]*'@octokit\//m.test(text));
  expect(pathsOf(loads)).toEqual([]);
});

test('no source file is longer than 300 lines', () => {
  expect(pathsOf(sources.filter(({ text }) => text.split('\n').length > 301))).toEqual([]);
});

test('no file mentions a place outside the repository', async () => {
  // In two pieces, so that this file does not mention one either.
  const outside = new RegExp(`(?<![\\w.])${'/wo'}rk/|${'\\.\\./sha'}red\\b|${'/tm'}p/w/`);
  const wrong = (await readTree('.')).filter(({ path, text }) => path !== 'package-lock.json' && outside.test(text));
  expect(pathsOf(wrong)).toEqual([]);
});

test('a function of several statements is declared; a constant holds one expression', () => {
  const arrow = /^(?:export )?const \w+ = (?:async )?(?:<[^=]*>)?\([^;=]*\)(?:: [^=;]+)? => \{\n(?:[ )].*\n|\n)*?\};$/m;
  expect(pathsOf(sources.filter(({ text }) => arrow.test(text)))).toEqual([]);
});
