import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { definitionSchema } from '../../../src/definition/definition.ts';
import { diskDefinitionSchema } from '../../../src/definition/disk-definition.ts';
import { isDiskDefinition } from '../../../src/nix/answer.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { readPages, type Snippet, snippetsOf } from '../../support/pages.ts';
import { readTree } from '../../support/source-files.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';
import { evaluateSnippets, lintWorkflows } from './kit.ts';

const snippets = (await readPages()).filter(({ path }) => !path.startsWith('src/')).flatMap(snippetsOf);
const those = (...kinds: readonly string[]): Snippet[] => snippets.filter(({ kind }) => kinds.includes(kind));

const EVALUATED = ['nix flake', 'nix outputs', 'nix image', 'nix disk', 'nix module', 'nix file'];

/** Writes each snippet to a file of its own, and gives their names. */
async function writeSnippets(folder: string, some: readonly Snippet[]): Promise<string[]> {
  const files = some.map(({ at }) => join(folder, at.replaceAll(/[^\w.-]/g, '_')));
  await Promise.all(some.map(({ text }, at) => writeFile(files[at] ?? '', text)));
  return files;
}

test('Nix evaluates the definitions and flakes of the pages, and their images are as the schema says', async () => {
  const evaluated = await evaluateSnippets(those(...EVALUATED), {
    NIX_CONFIG: TEST_NIX_CONFIG,
  });
  expect(evaluated.filter(({ images }) => images.length === 0).map(({ at }) => at)).toEqual([]);
  for (const { at, images } of evaluated) {
    for (const image of images) {
      const schema = isDiskDefinition(image) ? diskDefinitionSchema : definitionSchema;
      const { error } = schema.safeParse({ ...Object(image), roots: [] });
      const wrong = error?.issues.filter(({ message }) => !message.endsWith('is in none of the roots'));
      expect(wrong ?? [], at).toEqual([]);
    }
  }
  // It does look: an argument that mkImage does not have is found.
  const wrong = { at: 'a page', page: 'a page', kind: 'nix image', text: 'surprise = 1;\n' };
  await expect(evaluateSnippets([wrong], { NIX_CONFIG: TEST_NIX_CONFIG })).rejects.toThrow('surprise');
});

test('what the pages show of other tools is Nix, too', async () => {
  await using folder = await uniqueTempDir('pages-other');
  const open = those('nix other').map((snippet) => ({
    ...snippet,
    text: `{ pkgs, nix2container, ... }:\n${snippet.text}`,
  }));
  const files = await writeSnippets(folder.path, open);
  const { exitCode, stderr } = await runProgram('nix-instantiate', ['--parse', ...files]);
  expect(exitCode, stderr).toBe(0);
});

test('actionlint accepts the workflows, steps and calls of the pages', async () => {
  const known = those('yaml workflow', 'yaml steps', 'yaml call', 'yaml tags');
  expect(known.length).toBeGreaterThan(15);
  expect(await lintWorkflows(known)).toBe('');
  // It does look: an input that the workflow does not have is found.
  const [first] = those('yaml workflow').filter(({ text }) => text.includes('images.yml@v1'));
  expect(
    await lintWorkflows([
      { ...(first as Snippet), text: first?.text.replace('      to:', '      surprise: x\n      to:') ?? '' },
    ]),
  ).toContain('surprise');
});

test('actions of others are pinned on the pages as in the workflows', async () => {
  const pins = (text: string): string[] =>
    [...text.matchAll(/uses: ([\w-]+\/[\w./-]+@.*)$/gm)].map(([, pin = '']) => pin);
  const workflows = [...(await readTree('workflows')), ...(await readTree('examples')), ...(await readTree('actions'))];
  const used = new Set(workflows.flatMap(({ text }) => pins(text)));
  const named = those('yaml workflow', 'yaml steps').flatMap(({ at, text }) => pins(text).map((pin) => ({ at, pin })));
  const wrong = named.filter(({ pin }) => !pin.startsWith('org/nix-images') && !used.has(pin));
  expect(wrong.map(({ at, pin }) => `${at} ${pin}`)).toEqual([]);
});

test('bash can read the commands of the pages', async () => {
  await using folder = await uniqueTempDir('pages-sh');
  const files = await writeSnippets(folder.path, those('sh'));
  const script = 'for file in "$@"; do bash -n "$file" || exit 1; done';
  const { exitCode, stderr } = await runProgram('bash', ['-c', script, 'bash', ...files]);
  expect(exitCode, stderr).toBe(0);
});
