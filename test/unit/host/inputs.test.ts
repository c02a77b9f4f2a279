import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { UserError } from '../../../src/core/error.ts';
import { defineCommand } from '../../../src/host/command.ts';
import { type Field, fieldMeta, flag, integer, lines, secret, text } from '../../../src/host/fields.ts';
import { parseInputs, type RawInputs } from '../../../src/host/inputs.ts';
import { actionSpelling, cliSpelling, inputVariable, kebab, secretVariable } from '../../../src/host/names.ts';
import { everything } from './commands.ts';

const cli = { name: cliSpelling, hint: 'see help' };

const parse = (raw: RawInputs, spelling = cli) => parseInputs(everything.inputs, raw, spelling);

const failure = (raw: RawInputs, spelling = cli): UserError => {
  try {
    parse(raw, spelling);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('the inputs were accepted');
};

describe('parsing', () => {
  test('what is not given has its default, or is undefined, or empty', () => {
    expect(parse({ installable: '.#a' })).toEqual({
      installable: '.#a',
      more: [],
      to: { reference: 'oci:out' },
      tag: [],
      attribute: undefined,
      system: undefined,
      systems: [],
      format: 'gzip',
      dryRun: false,
      reuse: true,
      maxLayers: 40,
      outDir: undefined,
      registryToken: undefined,
    });
  });

  test.each<[string, RawInputs, object]>([
    ['text is trimmed', { attribute: '  a b ' }, { attribute: 'a b' }],
    ['parse converts', { to: 'ghcr.io/org/app' }, { to: { reference: 'ghcr.io/org/app' } }],
    ['lines of a workflow', { tag: 'a\r\n\n  b  \n' }, { tag: ['a', 'b'] }],
    ['only empty lines', { tag: '\n \n' }, { tag: [] }],
    ['repeated flags', { tag: ['a', 'b'] }, { tag: ['a', 'b'] }],
    ['one of', { system: 'aarch64-linux' }, { system: 'aarch64-linux' }],
    ['several of', { systems: 'aarch64-linux\nx86_64-linux' }, { systems: ['aarch64-linux', 'x86_64-linux'] }],
    ['true', { dryRun: 'true' }, { dryRun: true }],
    ['TRUE as YAML has it', { dryRun: ' TRUE ' }, { dryRun: true }],
    ['false', { reuse: 'False' }, { reuse: false }],
    ['integer', { maxLayers: ' 120 ' }, { maxLayers: 120 }],
    ['secret', { registryToken: 'abc\n' }, { registryToken: 'abc' }],
  ])('%s', (_name, raw, expected) => {
    expect(parse({ installable: '.#a', ...raw })).toMatchObject(expected);
  });

  test.each<[string, RawInputs, string]>([
    ['missing', {}, 'INSTALLABLE is missing'],
    ['empty', { installable: ' ' }, 'INSTALLABLE: must not be empty, not " "'],
    [
      'not one of',
      { installable: 'a', format: 'zst' },
      '--format: expected one of gzip, zstd, not "zst". Did you mean zstd?',
    ],
    ['far from all', { installable: 'a', format: 'brotli' }, '--format: expected one of gzip, zstd, not "brotli".'],
    [
      'one of several',
      { installable: 'a', systems: ['x86_64-linux', 'arm'] },
      '--systems: expected one of x86_64-linux, aarch64-linux, not "arm".',
    ],
    ['empty item', { installable: 'a', tag: ['x', ''] }, '--tag: must not be empty'],
    ['flag', { installable: 'a', dryRun: 'yes' }, '--dry-run: expected true or false, not "yes"'],
    ['not a number', { installable: 'a', maxLayers: '4O' }, '--max-layers: expected a whole number, not "4O"'],
    ['fraction', { installable: 'a', maxLayers: '1.5' }, '--max-layers: expected a whole number, not "1.5"'],
    ['too large', { installable: 'a', maxLayers: '121' }, '--max-layers: must be at most 120, not 121'],
    ['too small', { installable: 'a', maxLayers: '0' }, '--max-layers: must be at least 1, not 0'],
    ['several at once', { format: 'x' }, 'INSTALLABLE is missing\n--format: expected one of gzip, zstd, not "x".'],
  ])('%s is an error', (_name, raw, message) => {
    expect(failure(raw)).toMatchObject({ code: 'input', message, hint: 'see help' });
  });

  test("a field's own parse keeps its code and hint, and gets the input's name", () => {
    expect(failure({ installable: 'a', to: 'a b' })).toMatchObject({
      code: 'reference',
      message: '--to: must not contain spaces',
      hint: 'Remove them.',
    });
  });

  test('a workflow calls its inputs by their own names', () => {
    expect(failure({ outDir: ' ' }, { name: actionSpelling, hint: 'x' }).message).toBe(
      'input installable is missing\ninput out-dir: must not be empty, not " "',
    );
  });

  test('a wrong secret is not shown', () => {
    const inputs = { token: secret({ description: 'Token.', required: true }) };
    expect(() => parseInputs(inputs, { token: '  ' }, cli)).toThrow(
      /^NIX_IMAGES_TOKEN or --token-file: must not be empty$/,
    );
  });

  test('lines can be required', () => {
    const inputs = { tag: lines({ description: 'Tags.', required: true }) };
    expect(() => parseInputs(inputs, {}, cli)).toThrow('--tag is missing');
    expect(() => parseInputs(inputs, { tag: '' }, cli)).toThrow('--tag: must not be empty');
    expect(parseInputs(inputs, { tag: 'a' }, cli)).toEqual({ tag: ['a'] });
  });

  test('lines can be converted', () => {
    const inputs = { size: lines({ description: 'Sizes.', default: ['1'], parse: Number }) };
    expect(parseInputs(inputs, { size: ['2', '3'] }, cli)).toEqual({ size: [2, 3] });
    expect(parseInputs(inputs, {}, cli)).toEqual({ size: [1] });
  });
});

describe('declaring', () => {
  const declare = (inputs: Record<string, Field>) => () =>
    defineCommand({
      name: 'x',
      summary: 'X.',
      inputs,
      outputs: {},
      run: async () => ({ outputs: {}, data: 0, text: '' }),
      present: (result) => result,
    });
  const word = { description: 'Text.' };

  test.each<[string, Record<string, Field>, string]>([
    ['a common flag', { json: flag(word) }, '--json belongs to every command'],
    ['kebab-case', { 'dry-run': flag(word) }, 'dry-run is not in camelCase'],
    ['one letter twice', { a: flag({ ...word, short: 'A' }), b: flag({ ...word, short: 'A' }) }, '-A of b is taken'],
    ['the letter of help', { a: flag({ ...word, short: 'h' }) }, '-h of a is taken'],
    [
      'an argument after those that take all',
      { a: lines({ ...word, positional: true }), b: text({ ...word, positional: true }) },
      'b cannot come after a',
    ],
    ['a schema that is no field', { a: z.string() }, 'helper of host/fields.ts'],
  ])('%s is refused', (_name, inputs, message) => {
    expect(declare(inputs)).toThrow(message);
  });

  test('the JSON schema of the inputs carries description and default, transforms or not', () => {
    const schema = z.toJSONSchema(z.object(everything.inputs), { io: 'input' });
    expect(schema.required).toEqual(['installable']);
    expect(schema.properties?.to).toMatchObject({ type: 'string', default: 'oci:out', description: 'Where to.' });
    expect(schema.properties?.maxLayers).toMatchObject({ type: 'integer', default: 40, maximum: 120 });
    expect(schema.properties?.format).toMatchObject({ enum: ['gzip', 'zstd'], default: 'gzip' });
  });

  test('metadata is as declared', () => {
    expect(fieldMeta(integer({ description: 'N.', default: 3, short: 'n', faces: 'cli' }))).toMatchObject({
      kind: 'integer',
      short: 'n',
      faces: 'cli',
      fallback: ['3'],
      required: false,
      positional: false,
    });
  });
});

test.each([
  ['fromImage', 'from-image', 'INPUT_FROM-IMAGE', 'NIX_IMAGES_FROM_IMAGE'],
  ['to', 'to', 'INPUT_TO', 'NIX_IMAGES_TO'],
])('%s has its spellings', (name, flagName, input, variable) => {
  expect([kebab(name), inputVariable(name), secretVariable(name)]).toEqual([flagName, input, variable]);
});
