import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { definitionSchema } from '../../src/definition/definition.ts';
import { diskDefinitionSchema } from '../../src/definition/disk-definition.ts';
import { diskTestsSchema } from '../../src/definition/disk-tests.ts';
import { imageTestsSchema } from '../../src/definition/image-tests.ts';
import { CODECS } from '../../src/oci/compression.ts';
import { COMMON_KEYS, RULE_TYPES } from '../../src/publish/tag-rules.ts';
import { ROOT } from '../support/root.ts';

// Pages written by hand that promise to be complete are held to what the program takes.

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** Names that a page does not have in code type. */
const missingOn = async (page: string, names: readonly string[]): Promise<string[]> => {
  const text = await read(`docs/${page}.md`);
  return names.filter((name) => !new RegExp(`\`[^\`\\n]*(?<![\\w-])${name}(?![\\w-])[^\`\\n]*\``).test(text));
};

/** The names of a Nix file that stand alone in quotes, or before a `=` at this indentation. */
const namesIn = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, name = '']) => name);

/** All names of fields in a schema, however deep. */
const fieldsOf = (schema: unknown): string[] => {
  if (Array.isArray(schema)) return schema.flatMap(fieldsOf);
  if (typeof schema !== 'object' || schema === null) return [];
  const own =
    'properties' in schema && typeof schema.properties === 'object' ? Object.keys(schema.properties ?? {}) : [];
  return [...own, ...Object.values(schema).flatMap(fieldsOf)];
};

const json = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

test('docs/definition.md has every argument of mkImage, and every field of config and files', async () => {
  const names = namesIn(await read('nix/lib/arguments.nix'), /^ {2}"(\w+)"$/gm);
  expect(names.length).toBeGreaterThan(15);
  const { config, files } = json(definitionSchema).properties as Record<string, unknown>;
  const inFiles = fieldsOf(files).filter((name) => !['type'].includes(name));
  expect(await missingOn('definition', [...names, ...fieldsOf(config), ...inFiles])).toEqual([]);
});

test('docs/disks.md has every argument of mkDisk, every field of its sets and tests, and every option of the modules', async () => {
  const names = namesIn(await read('nix/lib/disk-arguments.nix'), /^ {2}"(\w+)"$/gm);
  expect(names.length).toBeGreaterThan(12);
  const { boot, partitions, tools } = json(diskDefinitionSchema).properties as Record<string, unknown>;
  const fields = [boot, partitions, tools, json(diskTestsSchema)].flatMap(fieldsOf).filter((name) => name !== 'loader');
  const modules = await Promise.all(['disk', 'ec2', 'trim'].map((name) => read(`nix/modules/${name}.nix`)));
  const options = modules.flatMap((text) => namesIn(text, /^ {4}(\w+) = (?:lib\.mkOption|\w+Option)/gm));
  expect(options.length).toBeGreaterThan(5);
  expect(await missingOn('disks', [...names, ...fields, ...options])).toEqual([]);
});

test('docs/migrating.md says of every argument of other makers what takes its place', async () => {
  const advice = namesIn(await read('nix/lib/other-makers.nix'), /^ {4}(\w+) = /gm);
  expect(advice.length).toBeGreaterThan(25);
  expect(await missingOn('migrating', advice)).toEqual([]);
});

test('docs/tests.md has every field of a test', async () => {
  const fields = new Set(fieldsOf(json(imageTestsSchema)));
  expect(fields.size).toBeGreaterThan(25);
  expect(await missingOn('tests', [...fields])).toEqual([]);
});

test('docs/compression.md has every codec with its levels', async () => {
  const page = await read('docs/compression.md');
  for (const [name, { least, most, usual }] of Object.entries(CODECS)) {
    expect(page).toMatch(new RegExp(`^\\| \`${name}\`.* \\| ${least} to ${most} \\| ${usual} \\|`, 'm'));
  }
});

test('docs/tags.md has every rule with its keys, and the default of the workflow', async () => {
  const page = await read('docs/tags.md');
  const types = Object.keys(RULE_TYPES);
  for (const type of types) expect(page, type).toContain(`type=${type}`);
  const keys = [...Object.values(RULE_TYPES).flatMap((rule) => Object.keys(rule.keys)), ...Object.keys(COMMON_KEYS)];
  expect(keys.filter((key) => !page.includes(`${key}=`))).toEqual([]);
  const [, rules = ''] =
    /\n {6}tags:\n.*\n.*\n {8}default: \|\n((?: {10}.*\n)+)/.exec(await read('workflows/images.yml')) ?? [];
  expect(page).toContain(`\`\`\`yaml tags\ntags: |\n${rules.replaceAll(/^ {10}/gm, '  ')}\`\`\``);
});
