import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import {
  renderActionEntries,
  renderActionReadme,
  renderActionYaml,
  renderCommandTable,
} from '../../scripts/generate/action.ts';
import { declaredRows } from '../../scripts/generate/declared.ts';
import { renderFieldTable } from '../../scripts/generate/field-table.ts';
import { renderFiles } from '../../scripts/generate/files.ts';
import { renderJson } from '../../scripts/generate/json.ts';
import { renderTable, replaceGenerated } from '../../scripts/generate/markdown.ts';
import { renderBenchChart } from '../../scripts/generate/pictures/bench-chart.ts';
import { renderSummaryPicture } from '../../scripts/generate/pictures/summary.ts';
import { exampleSummary } from '../../scripts/generate/run-example.ts';
import { compareTree } from '../../scripts/generate/tree.ts';
import { commands } from '../../src/commands/index.ts';
import { ROOT } from '../support/root.ts';
import { readYaml } from '../support/yaml.ts';
import { everything, leaving, testCommands } from '../unit/host/commands.ts';

const temporary: string[] = [];
afterEach(async () => {
  for (const folder of temporary.splice(0)) await rm(folder, { recursive: true });
});

test('what is generated from the source is up to date', async () => {
  const { stale, orphans } = await compareTree(ROOT, commands);
  const names = [...Object.keys(stale), ...orphans];
  expect(names, `stale: ${names.join(', ')}; run npm run generate`).toEqual([]);
});

test('commands stand under their own names', async () => {
  const loaded = await Promise.all(Object.entries(commands).map(async ([name, load]) => [name, (await load()).name]));
  for (const [name, own] of loaded) expect(own).toBe(name);
});

test('stale and orphaned files are named, actions written by hand are left alone', async () => {
  const root = await mkdtemp(join(tmpdir(), 'nix-images-generated-'));
  temporary.push(root);
  const write = async (path: string, text: string) => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await write('actions/everything/action.yml', renderActionYaml(everything));
  await write('actions/everything/README.md', 'old');
  await write('actions/gone/action.yml', renderActionYaml(everything));
  await write('actions/by-hand/action.yml', 'name: by hand\n');
  await write('README.md', '# A\n<!-- generated: commands -->\n<!-- /generated -->\n');
  const { stale, orphans } = await compareTree(root, { everything: async () => everything });
  expect(Object.keys(stale).sort()).toEqual([
    'README.md',
    'actions/everything/README.md',
    'actions/everything/main.mjs',
    'docs/cli.md',
    'nix/schema/disk-definition.v1.json',
    'nix/schema/image-definition.v1.json',
    'nix/schema/plan.v3.json',
  ]);
  expect(orphans).toEqual(['actions/gone']);
  expect(stale['README.md']).toContain('| `nix-images everything` |');
});

test('an action.yml says what the declaration says', () => {
  const action = readYaml(renderActionYaml(everything)) as Record<string, Record<string, unknown>>;
  expect(action).toMatchObject({
    name: 'nix-images everything',
    description: 'Show what was given.',
    inputs: {
      installable: { description: 'What to build.', required: true },
      to: { description: 'Where to.', required: false, default: 'oci:out' },
      system: { description: 'System. One of: x86_64-linux, aarch64-linux.', required: false },
      tag: { description: 'Tags. One per line.', required: false },
      'dry-run': { default: 'false' },
      'max-layers': { default: '40' },
      'registry-token': { required: false },
    },
    outputs: { 'index-digest': { description: 'Digest of the index.' } },
    runs: { using: 'node24', main: 'main.mjs' },
  });
});

test('an action with a post step has a stub for it', () => {
  expect(readYaml(renderActionYaml(leaving))).toMatchObject({ runs: { main: 'main.mjs', post: 'post.mjs' } });
  expect(Object.keys(renderActionEntries(everything))).toEqual(['main.mjs']);
  expect(renderActionEntries(leaving)['post.mjs']).toContain("'--post-action=leaving'");
});

test('every action.yml names each input and output of its command, and has a table of them', async () => {
  for (const load of Object.values({ ...testCommands, ...commands })) {
    const command = await load();
    const action = readYaml(renderActionYaml(command)) as Record<string, Record<string, unknown>>;
    const names = [...Object.keys(action.inputs ?? {}), ...Object.keys(action.outputs ?? {})];
    for (const name of names) expect(renderActionReadme(command)).toContain(`| \`${name}\` |`);
  }
});

test('the pages of the actions open with an example, and no row of a table is longer than a line', async () => {
  for (const load of Object.values(commands)) {
    const command = await load();
    if (command.faces === 'cli') continue;
    const page = renderActionReadme(command);
    const [head = ''] = page.split('\n## ');
    expect(head).toContain('```yaml steps\n');
    expect(page.split('\n').filter((line) => line.length > 120)).toEqual([]);
  }
});

test('a command of the command line alone has no action, and its row in the table names none', () => {
  const files = renderFiles([{ ...everything, name: 'here', faces: 'cli' }, everything], () => undefined);
  expect(Object.keys(files).filter((path) => path.startsWith('actions/here'))).toEqual([]);
  expect(Object.keys(files)).toContain('actions/everything/action.yml');
  expect(renderCommandTable([{ ...everything, name: 'here', faces: 'cli' }])).toMatch(/^\| `nix-images here` \| +\| /m);
});

test('a description that its row has no room for stands in full below the table', () => {
  const description = `Short. ${'Long, and longer. '.repeat(8).trim()}`;
  const table = renderFieldTable(['Input', 'Type', 'What it is'], [{ name: 'a', type: 'text', description }]);
  expect(table).toMatch(/^\| `a` \| text \| Short\. .* … \|$/m);
  expect(table.replaceAll(/\n {2}/g, ' ')).toContain(`- \`a\`: ${description}\n`);
  expect(renderFieldTable(['Input'], [{ name: 'a', description: 'Short.' }])).not.toContain('In full');
});

test('inputs of a file written by hand have the type and default that it says', () => {
  const text = [
    '    inputs:',
    '      to:',
    '        description: Where to, one per line.',
    '        required: true',
    '      force:',
    '        description: Whether to.',
    '        type: boolean',
    '        default: false',
    '      token:',
    '        description: "For it, a secret: `x`."',
    '      tags:',
    '        description: Tags.',
    '        default: |',
    '          a: 1',
    '    outputs:',
    '      to:',
    '        description: Another.',
  ].join('\n');
  expect(declaredRows(text, 'inputs').map(({ name, type, fallback }) => [name, type, fallback])).toEqual([
    ['to', 'lines', 'required'],
    ['force', 'true or false', '`false`'],
    ['token', 'secret', ''],
    ['tags', 'text', 'below'],
  ]);
  expect(declaredRows(text, 'outputs')).toEqual([{ name: 'to', description: 'Another.' }]);
});

test('pictures are small, and show the figures of their pages', async () => {
  const page = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');
  const chart = renderBenchChart(await page('docs/benchmarks.md'));
  const [, seconds = 'none'] = /\*\*nix-images zstd\*\* \| ([\d.]+) \|/.exec(await page('docs/benchmarks.md')) ?? [];
  expect(chart).toContain(`>${seconds} s</text>`);
  expect(chart).toContain('prefers-color-scheme: dark');
  expect(chart.length).toBeLessThan(200_000);
  const summary = renderSummaryPicture(exampleSummary());
  expect(summary).toContain('>• docker://ghcr.io/org/app:latest</text>');
  expect(summary.length).toBeLessThan(200_000);
  expect(() => renderBenchChart('# Benchmarks')).toThrow('has no table');
  expect(() => renderSummaryPicture('# A run')).toThrow('not the summary');
});

test.each([
  [{ a: [1, 'b', null] }, '{\n  "a": [1, "b", null]\n}\n'],
  [{ a: [], b: {}, c: undefined }, '{\n  "a": [],\n  "b": {}\n}\n'],
  [[{ a: 1 }], '[\n  {\n    "a": 1\n  }\n]\n'],
  [['x'.repeat(80), 'y'.repeat(80)], `[\n  "${'x'.repeat(80)}",\n  "${'y'.repeat(80)}"\n]\n`],
])('JSON %# is laid out as the formatter does', (value, text) => {
  expect(renderJson(value)).toBe(text);
});

test('a table cell cannot end its row', () => {
  expect(renderTable(['A'], [['a|b\nc']])).toBe('| A |\n| --- |\n| a\\|b c |\n');
});

test.each([
  ['no marker', 'no marker'],
  ['a\n<!-- generated: x -->old<!-- /generated -->\nb', 'a\n<!-- generated: x -->\n\nnew\n\n<!-- /generated -->\nb'],
])('markers are filled in %j', (page, expected) => {
  expect(replaceGenerated(page, 'x', 'new\n')).toBe(expected);
});

test('a marker without end is an error', () => {
  expect(() => replaceGenerated('<!-- generated: x -->', 'x', 'new')).toThrow('has no');
});
