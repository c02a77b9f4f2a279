import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { readTree, type SourceFile } from '../support/source-files.ts';

const isCode = ({ path }: SourceFile) => /\.m?ts$|\.m?js$/.test(path);
const sources = (await readTree('src')).filter(isCode);
const others = (await Promise.all(['scripts', 'bench', 'test'].map(readTree))).flat().filter(isCode);

interface Export {
  readonly path: string;
  readonly name: string;
  /** It is meant for tests alone. */
  readonly isInternal: boolean;
}

const EXPORT =
  /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?^export (?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;

const exported: readonly Export[] = sources.flatMap(({ path, text }) =>
  [...text.matchAll(EXPORT)].map(([, comment = '', name = '']) => ({
    path,
    name,
    isInternal: comment.includes('@internal'),
  })),
);

const IMPORT = /\b(?:import|export)\s+(?:type\s+)?(?:\{([^}]*)\}|\*\s+as\s+\w+)\s+from\s+'(\.[^']+)'/g;
const WHOLE_FILE = /\bimport\(\s*'(\.[^']+)'\s*\)/g;
const EVERYTHING = '*';

/** `src/core/error.ts#UserError` for what files import from others; `#*` for all of a file at once. */
const importsOf = (files: readonly SourceFile[]): ReadonlySet<string> =>
  new Set(
    files.flatMap(({ path, text }) => {
      const at = (specifier: string): string => posix.join(posix.dirname(path), specifier);
      const named = [...text.matchAll(IMPORT)].flatMap(([, names = EVERYTHING, from = '']) =>
        names.split(',').map((name) => `${at(from)}#${name.replace(/^\s*(?:type\s+)?(\S+)[\s\S]*$/, '$1')}`),
      );
      return [...named, ...[...text.matchAll(WHOLE_FILE)].map(([, from = '']) => `${at(from)}#${EVERYTHING}`)];
    }),
  );

const isIn = (imports: ReadonlySet<string>, { path, name }: Export): boolean =>
  imports.has(`${path}#${name}`) || imports.has(`${path}#${EVERYTHING}`);

const byProduct = importsOf([...sources, ...others.filter(({ path }) => !path.startsWith('test/'))]);
const byTests = importsOf(others.filter(({ path }) => path.startsWith('test/')));

const namesOf = (list: readonly Export[]): string[] => list.map(({ path, name }) => `${path} ${name}`);

test('there are exports and imports to look at', () => {
  expect(exported.length).toBeGreaterThan(300);
  expect(exported.filter((one) => isIn(byProduct, one)).length).toBeGreaterThan(300);
});

test('what no other file uses is not exported', () => {
  expect(namesOf(exported.filter((one) => !isIn(byProduct, one) && !isIn(byTests, one)))).toEqual([]);
});

test('what only tests use is marked @internal, and nothing else is', () => {
  const wrong = exported.filter(
    (one) => one.isInternal === isIn(byProduct, one) && (isIn(byTests, one) || one.isInternal),
  );
  expect(namesOf(wrong)).toEqual([]);
});

test('a name is exported once: it means one thing everywhere', () => {
  const files = Map.groupBy(exported, ({ name }) => name);
  const twice = [...files].filter(([, list]) => new Set(list.map(({ path }) => path)).size > 1);
  expect(twice.flatMap(([, list]) => namesOf(list))).toEqual([]);
});
