import { describe, expect, test } from 'vitest';
import { createStderrReader } from '../../../src/host/child-output.ts';
import { createMask } from '../../../src/host/mask.ts';
import { createScreen } from '../../../src/host/screen.ts';

const maskOf = (...secrets: string[]) => {
  const mask = createMask();
  for (const secret of secrets) mask.add(secret);
  return mask;
};

describe('masking', () => {
  test.each<[string, string[], string, string]>([
    ['everywhere', ['hunter2'], 'hunter2 and hunter2', '*** and ***'],
    ['without the line end it was read with', ['hunter2\n'], 'is hunter2.', 'is ***.'],
    ['in a URL', ['p@ss/word'], 'https://u:p%40ss%2Fword@host', 'https://u:***@host'],
    ['in JSON', ['a"bc'], '{"t":"a\\"bc"}', '{"t":"***"}'],
    ['in Markdown', ['p@ss'], '<code>p&#64;ss</code>', '<code>***</code>'],
    ['not three letters, which are in many words', ['sha'], 'sha256 sha', 'sha256 sha'],
    ['in a basic-auth header', ['user:secret'], 'Basic dXNlcjpzZWNyZXQ=', 'Basic ***'],
    ['one that contains another', ['abcd', 'abcdef'], 'abcdef abcd', '*** ***'],
    ['each line of a key', ['BEGIN\nline one\n}'], 'x line one } BEGIN', 'x *** } ***'],
    ['with characters that patterns use', ['a.$&*('], 'a.$&*( aXX', '*** aXX'],
    ['nothing for an empty secret', ['', ' \n'], 'a b', 'a b'],
  ])('%s', (_name, secrets, input, expected) => {
    expect(maskOf(...secrets).apply(input)).toBe(expected);
  });
});

test('a token that a server chose is hidden in logs, and spoils no result', () => {
  const mask = maskOf('hunter2');
  mask.addChosen('sha256:0123456789abcdef');
  const text = 'hunter2 sha256:0123456789abcdef';
  expect(mask.apply(text)).toBe('*** ***');
  expect(mask.applyToResult(text)).toBe('*** sha256:0123456789abcdef');
});

describe('a secret that a child writes in pieces', () => {
  test.each<[string, string[], string]>([
    ['two pieces of a line', ['say hun', 'ter2\n'], 'say ***\n'],
    ['letter by letter', [...'hunter2\n'], '***\n'],
    ['without line end', ['a\nhunt', 'er2'], 'a\n***\n'],
    ['line by line', ['first', ' line\n', 'second line\n'], '***\n***\n'],
  ])('%s', (_name, chunks, expected) => {
    const written: string[] = [];
    const mask = maskOf('hunter2', 'first line\nsecond line');
    const screen = createScreen({ write: (text) => written.push(text) }, mask);
    const reader = createStderrReader(screen.line);
    for (const chunk of chunks) reader.push(Buffer.from(chunk));
    reader.end();
    expect(written.join('')).toBe(expected);
  });
});
