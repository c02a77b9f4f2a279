import { posix } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { hasLinks, pageInRelease, placeFiles } from '../../scripts/assemble/release-tree.ts';
import { anchorsOf, linksOf, readPages } from '../support/pages.ts';
import { readTree, type SourceFile } from '../support/source-files.ts';

const pages = await readPages();
const everything = await readTree('.');

test('docs/dependencies.md gives a reason for every runtime dependency', () => {
  const page = pages.find(({ path }) => path === 'docs/dependencies.md')?.text ?? '';
  const named = [...page.matchAll(/^\| `([^`]+)` \| .{20}/gm)].map(([, name]) => name);
  expect(Object.keys(manifest.dependencies).filter((name) => !named.includes(name))).toEqual([]);
});

/** Links of `from` that lead nowhere in `files`: to a file or folder that is not there, or to an anchor that a page does not have. */
function deadLinks(from: readonly SourceFile[], files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const folders = new Set([...paths].flatMap((path) => parentsOf(path)));
  const anchors = new Map(from.map((page) => [page.path, anchorsOf(page)]));
  return from.flatMap((page) =>
    linksOf(page).flatMap((link) => {
      const [to = '', anchor] = link.split('#');
      const path = to === '' ? page.path : posix.normalize(posix.join(posix.dirname(page.path), to)).replace(/\/$/, '');
      const isThere = paths.has(path) || folders.has(path);
      const isAnchor = anchor === undefined || (anchors.get(path)?.has(anchor) ?? false);
      return isThere && isAnchor ? [] : [`${page.path} -> ${link}`];
    }),
  );
}

const parentsOf = (path: string): string[] => {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
};

test('links between the pages lead somewhere, to the heading that they name', async ({ annotate }) => {
  expect(deadLinks(pages, everything)).toEqual([]);
  const links = pages.flatMap(linksOf);
  await annotate(`${links.length} links, ${links.filter((link) => link.includes('#')).length} of them to headings`);
  expect(links.length).toBeGreaterThan(100);
});

test('so they do in a release, which has fewer files and others at the top', () => {
  const entries = everything.map(({ path }) => ({ mode: '100644', object: '', path }));
  const texts = new Map(everything.map(({ path, text }) => [path, text]));
  const files = placeFiles(entries).map(({ from, path }) => {
    const text = texts.get(from.path) ?? '';
    return { path, text: hasLinks(from.path) ? pageInRelease(text) : text };
  });
  const released = files.filter(({ path }) => path.endsWith('.md'));
  expect(deadLinks(released, files)).toEqual([]);
  expect(released.length).toBeGreaterThan(20);
});

/** Pages that are one answer as a whole. */
const SHORT_PAGES = ['environment.md'];

test('errors lead to sections that are there, in a release too; descriptions and hints name pages', async () => {
  const released = new Set(
    placeFiles(everything.map(({ path }) => ({ mode: '100644', object: '', path }))).map(({ path }) => path),
  );
  const anchors = new Map(
    pages.map((page) => [page.path, anchorsOf({ ...page, text: pageInRelease(page.text) })] as const),
  );
  const source = (await readTree('src')).filter(({ path }) => path.endsWith('.ts'));
  const found = (pattern: RegExp) =>
    source.flatMap(({ path, text }) =>
      [...text.matchAll(pattern)].map(([, page = '', anchor]) => ({ path, page, anchor })),
    );
  const shown = found(/'([\w-]+\.md)(?:#([^']*))?'/g).filter(({ page }) => page !== 'README.md');
  const isThere = ({ page, anchor }: (typeof shown)[number]): boolean =>
    released.has(`docs/${page}`) &&
    (anchor === undefined ? SHORT_PAGES.includes(page) : anchors.get(`docs/${page}`)?.has(anchor) === true);
  expect(shown.length).toBeGreaterThan(100);
  expect(shown.filter((one) => !isThere(one))).toEqual([]);
  const named = found(/docs\/([\w-]+\.md)/g);
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(({ page }) => !anchors.has(`docs/${page}`))).toEqual([]);
});

test('every page of docs/ is in its contents', () => {
  const contents = new Set(pages.filter(({ path }) => path === 'docs/README.md').flatMap(linksOf));
  const names = pages.map(({ path }) => /^docs\/([\w-]+\.md)$/.exec(path)?.[1]).filter((name) => name !== undefined);
  expect(names.filter((name) => name !== 'README.md' && !contents.has(name))).toEqual([]);
});
