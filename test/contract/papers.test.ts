import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { readTree } from './source-files.ts';

const docs = (await readTree('docs')).filter(({ path }) => path.endsWith('.md'));

test('docs/dependencies.md gives a reason for every runtime dependency', () => {
  const page = docs.find(({ path }) => path === 'docs/dependencies.md')?.text ?? '';
  const named = [...page.matchAll(/^\| `([^`]+)` \| .{20}/gm)].map(([, name]) => name);
  expect(Object.keys(manifest.dependencies).filter((name) => !named.includes(name))).toEqual([]);
});

test('links between the pages lead somewhere', async () => {
  const paths = new Set((await readTree('.')).map(({ path }) => path));
  const pages = [...docs, ...(await readTree('.')).filter(({ path }) => /^[A-Z]+\.md$/.test(path))];
  const dead = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map(([, to = '']) => new URL(to, `file:///${path}`).pathname.slice(1))
      .filter((to) => !paths.has(to) && ![...paths].some((other) => other.startsWith(`${to.replace(/\/$/, '')}/`)))
      .map((to) => `${path} -> ${to}`),
  );
  expect(dead).toEqual([]);
});
