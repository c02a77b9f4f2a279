import { expect, test } from 'vitest';
import { readTree, type SourceFile } from './source-files.ts';

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

test('domain folders do not import src/host or src/commands', () => {
  const wrong = sources.filter(
    (file) => !isFace(file) && importsOf(file).some((name) => /\/(host|commands)\//.test(name)),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('src/host does not import commands', () => {
  const wrong = sources.filter(
    (file) => file.path.startsWith('src/host/') && importsOf(file).some((name) => name.includes('/commands/')),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('image/ and io/ do no I/O: they import no file system, network or child processes', () => {
  const world = /^node:(fs|fs\/promises|net|http|https|http2|child_process|worker_threads|process)$/;
  const wrong = sources.filter(
    (file) => /^src\/(image|io)\//.test(file.path) && importsOf(file).some((name) => world.test(name)),
  );
  expect(pathsOf(wrong)).toEqual([]);
});

test('trial/ takes an image as it stands: it knows nothing of Nix, of building, of handing over or of publishing', () => {
  const trial = sources.filter(({ path }) => path.startsWith('src/trial/'));
  expect(trial.length).toBeGreaterThan(5);
  const wrong = trial.filter((file) =>
    importsOf(file).some((name) => !/^(node:|zod$|\.\/|\.\.\/(image|io|registry)\/)/.test(name)),
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

test('no source file is longer than 300 lines', () => {
  expect(pathsOf(sources.filter(({ text }) => text.split('\n').length > 301))).toEqual([]);
});

test('no file mentions a place outside the repository', async () => {
  // In two pieces, so that this file does not mention one either.
  const outside = new RegExp(`(?<![\\w.])${'/wo'}rk/|${'\\.\\./sha'}red\\b|${'/tm'}p/w/`);
  const wrong = (await readTree('.')).filter(({ path, text }) => path !== 'package-lock.json' && outside.test(text));
  expect(pathsOf(wrong)).toEqual([]);
});
