import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { decodeJson, type JsonDocument, tryDecodeJson } from '../../../src/core/decode-json.ts';
import { UserError } from '../../../src/core/error.ts';

const schema = z.object({ name: z.string() });
const document: JsonDocument = {
  code: 'file',
  what: 'a.json',
  mismatch: 'is not what a tool writes',
  hint: 'Make it again.',
};

const failure = (source: string | Uint8Array, change: Partial<JsonDocument> = {}): UserError => {
  try {
    decodeJson(source, schema, { ...document, ...change });
  } catch (error) {
    if (error instanceof UserError) return error;
  }
  throw new Error('it was taken');
};

describe('decodeJson', () => {
  test.each([
    ['{"name":"x"}'],
    [Buffer.from('{"name":"x"}')],
    [Buffer.from('\ufeff{"name":"x"}')],
  ])('reads %j', (source) => {
    expect([decodeJson(source, schema, document), tryDecodeJson(source, schema)]).toEqual([
      { name: 'x' },
      { name: 'x' },
    ]);
  });

  test.each<[string, string | Uint8Array, string]>([
    ['what is not JSON', 'secret', 'a.json is not JSON'],
    ['bytes that are not UTF-8', Buffer.from('{"name":"\xff"}', 'latin1'), 'a.json is not JSON'],
    [
      'another shape',
      '{"name":1}',
      'a.json is not what a tool writes: ✖ Invalid input: expected string, received number',
    ],
    ['too many levels', '['.repeat(101), 'a.json has more than 100 lists and objects within each other'],
  ])('%s is refused by name', (_what, source, message) => {
    const { code, hint, message: text } = failure(source);
    expect({ code, hint, text }).toEqual({
      code: 'file',
      hint: 'Make it again.',
      text: expect.stringContaining(message),
    });
    expect(text).not.toContain('secret');
    expect(tryDecodeJson(source, schema)).toBeUndefined();
  });

  test('shows how a text begins where that helps', () => {
    const { message } = failure(`secret\n${'x'.repeat(500)}`, { isShown: true });
    expect(message).toBe(`a.json is not JSON: "secret\\n${'x'.repeat(193)}"`);
  });

  test('quotes nothing of a secret, in its cause neither', () => {
    expect([failure('secret').cause, failure('secret', { isSecret: true }).cause]).toEqual([
      expect.any(SyntaxError),
      undefined,
    ]);
  });
});
