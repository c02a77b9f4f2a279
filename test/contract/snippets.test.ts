import { join } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { readRepositorySettings } from '../../src/aws/repository-settings.ts';
import { commands } from '../../src/commands/index.ts';
import { readArguments } from '../../src/host/argv.ts';
import { parseInputs } from '../../src/host/inputs.ts';
import { cliSpelling } from '../../src/host/names.ts';
import { parseSettings } from '../../src/machine/nix-config.ts';
import { parseTagLine } from '../../src/publish/tag-lines.ts';
import { commandsOf, ownWords, proseOf, readPages, type Snippet, snippetsOf } from '../support/pages.ts';
import { readTree } from '../support/source-files.ts';
import { readYamlDocuments } from '../support/yaml.ts';

/**
 * The kinds of snippets, as the pages name them behind the fence, and what shows that one is right. CONTRIBUTING.md tells
 * writers of them. Nix, workflows and the shell's grammar are for programs: test/integration/docs/snippets.test.ts.
 */
const KINDS: Readonly<Record<string, 'here' | 'by programs' | 'shown'>> = {
  sh: 'here',
  'yaml tags': 'here',
  'yaml other': 'here',
  'conf nix': 'here',
  'json repository-settings': 'here',
  'json iam': 'here',
  'nix flake': 'by programs',
  'nix outputs': 'by programs',
  'nix image': 'by programs',
  'nix disk': 'by programs',
  'nix module': 'by programs',
  'nix file': 'by programs',
  'nix other': 'by programs',
  'yaml workflow': 'by programs',
  'yaml steps': 'by programs',
  'yaml call': 'by programs',
  // What a program printed, and configuration of other programs.
  console: 'shown',
  text: 'shown',
  'conf ssh': 'shown',
  mermaid: 'shown',
};

// Those below src/ are for people who read the source, and show it.
const pages = (await readPages()).filter(({ path }) => !path.startsWith('src/'));
const snippets = pages.flatMap(snippetsOf);
const those = (...kinds: readonly string[]): Snippet[] => snippets.filter(({ kind }) => kinds.includes(kind));

test('every snippet is of a kind that is checked', async ({ annotate }) => {
  expect(snippets.filter(({ kind }) => !(kind in KINDS)).map(({ at, kind }) => `${at} ${kind}`)).toEqual([]);
  const counts = Object.keys(KINDS).map((kind) => `${kind} ${those(kind).length}`);
  await annotate(`${snippets.length} snippets on ${pages.length} pages: ${counts.join(', ')}`);
  expect(snippets.length).toBeGreaterThan(100);
});

test('settings of repositories are read', async () => {
  const [root, settings] = [join(import.meta.dirname, '../..'), those('json repository-settings')];
  expect(settings.length).toBeGreaterThan(0);
  for (const { text } of settings) await readRepositorySettings(text, root, 'app');
});

/** What is wrong with the words after `nix-images`; undefined where nothing is. */
async function problemWith(words: readonly string[]): Promise<string | undefined> {
  const [name = '', ...rest] = words.map((word) => word.replace('$(uname -m)', 'x86_64'));
  if (/^(?:--help|--version|completion)$/.test(name)) return undefined;
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) return `unknown command ${name}`;
  const command = await load();
  try {
    const { raw, help } = readArguments(command, rest);
    if (!help) parseInputs(command.inputs, raw, { name: cliSpelling, hint: '' });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** Commands of this program in running text: `nix-images …`, but not where something is left out or has yet to be filled in. */
const inlineCommands = pages.flatMap((page) =>
  [...proseOf(page).matchAll(/`(nix-images [a-z][^`]*)`/g)]
    .map(([, text = '']) => text.replaceAll(/\s+/g, ' '))
    .filter((text) => !/…|\.\.\.|<|\b[A-Z]{4,}\b|\|/.test(text))
    .map((text) => ({ at: page.path, text })),
);

test('commands of nix-images have the flags and values that it takes', async ({ annotate }) => {
  const inBlocks = those('sh').flatMap(({ at, text }) => commandsOf(text).map((words) => ({ at, words })));
  const own = [...inBlocks, ...inlineCommands.map(({ at, text }) => ({ at, words: commandsOf(text)[0] ?? [] }))]
    .map(({ at, words }) => ({ at, words: ownWords(words) }))
    .filter(({ words }) => words !== undefined);
  const wrong: string[] = [];
  for (const { at, words = [] } of own) {
    // In running text a command may be named with a flag alone: what it needs besides is for the blocks.
    const problem = await problemWith(words);
    if (problem !== undefined && !(/^[^:]+$/.test(at) && /is missing|needs a value/.test(problem))) {
      wrong.push(`${at} nix-images ${words.join(' ')}: ${problem}`);
    }
  }
  expect(wrong).toEqual([]);
  await annotate(`${own.length} commands of nix-images, ${inlineCommands.length} of them in running text`);
  expect(own.length).toBeGreaterThan(40);
});

test('the lines of the README are those of the quick start, which a test follows', () => {
  const lines = (path: string): string[] =>
    those('sh')
      .filter(({ page }) => page === path)
      .flatMap(({ text }) => text.split('\n').filter((line) => line !== ''));
  const [first = ''] = those('sh').flatMap(({ page, text }) => (page === 'README.md' ? [text] : []));
  const steps = first.trimEnd().split('\n');
  expect(steps.length).toBeGreaterThan(5);
  expect(steps.length).toBeLessThanOrEqual(10);
  expect(steps.filter((line) => !lines('docs/quick-start.md').includes(line))).toEqual([]);
});

test('scripts of npm and templates that pages name are there', async () => {
  const templates = new Set((await readTree('nix/templates')).map(({ path }) => path.split('/')[2]));
  for (const { at, text } of those('sh')) {
    for (const [program, ...words] of commandsOf(text)) {
      if (program === 'npm' && words[0] === 'run') expect(manifest.scripts, at).toHaveProperty([words[1] ?? '']);
      const [, name] = /org\/nix-images\/v1#([\w-]+)/.exec(words.join(' ')) ?? [];
      if (program === 'nix' && words.includes('init') && name) expect([...templates], at).toContain(name);
    }
  }
});

test('rules for tags are rules', () => {
  expect(those('yaml tags').length).toBeGreaterThan(2);
  for (const { at, text } of those('yaml tags', 'yaml call', 'yaml workflow', 'yaml steps')) {
    const [, indent = '', list = ''] = /^( *)tags: \|\n((?: +.*\n?)+)/m.exec(text) ?? [];
    const rules = list.split('\n').filter((line) => line.startsWith(`${indent}  `));
    if (those('yaml tags').some((other) => other.at === at)) expect(rules, at).not.toEqual([]);
    for (const rule of rules) expect(() => parseTagLine(rule.trim()), `${at} ${rule}`).not.toThrow();
  }
});

test('YAML for other programs can be read', () => {
  for (const { at, text } of those('yaml other')) expect(() => readYamlDocuments(text), at).not.toThrow();
});

test('lines of nix.conf are settings', () => {
  for (const { at, text } of those('conf nix')) {
    const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
    expect(parseSettings(text).size, at).toBe(lines.length);
  }
});

test('the logs that the pages show have the words of the program', async () => {
  const source = (await readTree('src')).map(({ text }) => text).join('\n');
  const groups = [...source.matchAll(/log\.group\(`([^`]+)`/g)].map(([, text = '']) => text);
  const patterns = groups.map((text) => new RegExp(`^▸ ${text.replaceAll(/\$\{[^}]+\}/g, '\\S.*')}$`));
  const lines = those('console').flatMap(({ at, text }) => text.split('\n').map((line) => ({ at, line })));
  const shown = lines.filter(({ line }) => line.startsWith('▸ '));
  expect(shown.length).toBeGreaterThan(2);
  expect(shown.filter(({ line }) => !patterns.some((pattern) => pattern.test(line)))).toEqual([]);
  const hints = lines.filter(({ line }) => line.startsWith('hint: '));
  const plain = source.replaceAll(/'\s*\+\s*'/g, '');
  const unknown = hints.filter(
    ({ line }) => !plain.includes(line.replace('hint: ', '').replace(/ \/nix\/store.*/, '')),
  );
  expect(unknown).toEqual([]);
});

/** What nix/lib/check.nix puts together for the arguments of mkImage. */
const UNKNOWN = /\$\{where\}: unknown \$\{what\}/g;

/** Messages that docs/troubleshooting.md has as headings in code type, each as its fixed parts. */
const messages = pages
  .filter(({ path }) => path === 'docs/troubleshooting.md')
  .flatMap((page) => [...proseOf(page).matchAll(/^### `(.+)`$/gm)].map(([, text = '']) => text));

test('the messages that the pages explain are those of the program', async ({ annotate }) => {
  // Without what code adds between the parts of a literal: quotes, pluses, line ends and escapes.
  const plain = (text: string): string => text.replaceAll(/['"`]\s*\+\s*['"`]|\\(?=['"`])/g, '');
  const folders = await Promise.all(['src', 'nix/lib', '.github/workflows', 'scripts'].map(readTree));
  const source = folders
    .flat()
    .map(({ text }) => plain(text).replaceAll(UNKNOWN, 'mkImage: unknown argument'))
    .join('\n');
  const parts = messages.flatMap((message) =>
    message.split(/…|\b[A-Z][A-Z_-]+\b|\b\d{3}\b/).map((part) => ({ message, part })),
  );
  const looked = parts.filter(({ part }) => part.trim().length > 6);
  expect(
    looked.filter(({ part }) => !source.includes(part.trim())).map(({ message, part }) => `${message}: ${part}`),
  ).toEqual([]);
  await annotate(`${messages.length} messages explained`);
  expect(looked.length).toBeGreaterThan(20);
});
