import { expect, test } from 'vitest';
import { readTree } from '../support/source-files.ts';

/**
 * How messages, hints and log lines are written: see CONTRIBUTING.md, "Messages". Held over every literal that is given to a
 * UserError, to `description:`, to `hint:`, to a constant of hints or to a log; what is put together elsewhere is for the reviewer.
 */

interface Literal {
  readonly kind: 'message' | 'hint' | 'log' | 'group' | 'description';
  readonly at: string;
  /** With `‹›` for each interpolation. */
  readonly text: string;
}

/** Reads the string or template that begins at `at`; undefined where there is none. */
function literalAt(source: string, at: number): { readonly text: string; readonly end: number } | undefined {
  const quote = source[at] ?? '';
  if (!'\'"`'.includes(quote) || quote === '') return undefined;
  let text = '';
  let end = at + 1;
  while (end < source.length && source[end] !== quote) {
    if (source[end] === '\\') {
      text += source[end + 1];
      end += 2;
    } else if (quote === '`' && source.startsWith('${', end)) {
      end = endOfExpression(source, end + 2);
      text += '‹›';
    } else {
      text += source[end];
      end += 1;
    }
  }
  return { text, end: end + 1 };
}

/** Where the `}` of an interpolation ends, strings and templates in it passed over. */
function endOfExpression(source: string, from: number): number {
  let depth = 1;
  let at = from;
  while (depth > 0 && at < source.length) {
    const inner = literalAt(source, at);
    if (!inner && source[at] === '{') depth += 1;
    if (!inner && source[at] === '}') depth -= 1;
    at = inner?.end ?? at + 1;
  }
  return at;
}

/** A literal, and those that are added to it by `+`. */
function joinedLiterals(source: string, from: number): string | undefined {
  let text: string | undefined;
  for (let at = from; ; ) {
    const start = at + (/^\s*/.exec(source.slice(at, at + 200))?.[0].length ?? 0);
    const found = literalAt(source, start);
    if (!found) return text;
    text = (text ?? '') + found.text;
    const more = /^\s*\+/.exec(source.slice(found.end, found.end + 200));
    if (!more) return text;
    at = found.end + more[0].length;
  }
}

const PLACES: readonly (readonly [Literal['kind'], RegExp])[] = [
  ['message', /new UserError\(\s*(?:'[a-z]+'|[\w.]+)\s*,/g],
  ['hint', /\bhint:(?! 'cyan')|\b(?:[A-Z_]*HINT|AGAIN)\s*=/g],
  ['log', /\blog\s*\.\s*(?:info|warn|debug|error)\(/g],
  ['group', /\blog\s*\.\s*group\(/g],
  ['description', /\bdescription:/g],
];

const literals = (await readTree('src'))
  .filter(({ path }) => path.endsWith('.ts'))
  .flatMap(({ path, text: source }) =>
    PLACES.flatMap(([kind, pattern]) =>
      [...source.matchAll(pattern)].flatMap((match): Literal[] => {
        const text = joinedLiterals(source, match.index + match[0].length);
        const line = source.slice(0, match.index).split('\n').length;
        return text === undefined ? [] : [{ kind, at: `${path}:${line}`, text }];
      }),
    ),
  );

const those = (...kinds: readonly Literal['kind'][]) => literals.filter(({ kind }) => kinds.includes(kind));
const shown = (wrong: readonly Literal[]) => wrong.map(({ at, text }) => `${at} ${text}`);

/** A name that keeps its capital: of a program or service, or all of it (`POST`, `RUNNER_TEMP`). */
const NAME = /^(?:Nix|GitHub|OCI|Docker|[A-Z][A-Z0-9_]+)\b/;

test('there are literals of every kind to look at', () => {
  expect(those('message').length).toBeGreaterThan(200);
  expect(those('hint').length).toBeGreaterThan(200);
  expect(those('log').length).toBeGreaterThan(40);
  expect(those('group').length).toBeGreaterThan(4);
  expect(those('description').length).toBeGreaterThan(60);
});

test('messages and log lines begin in lower case', () => {
  expect(shown(those('message', 'log').filter(({ text }) => /^[A-Z]/.test(text) && !NAME.test(text)))).toEqual([]);
});

test('messages and log lines have no final period', () => {
  expect(shown(those('message', 'log').filter(({ text }) => /[^.]\.$/.test(text)))).toEqual([]);
});

test('hints are sentences', () => {
  // A hint may begin with code (`docs/x.md lists …`) and end with a command or a value.
  const begins = /^(?:[^a-z]|\S*[-./=]\S*\s)/;
  const ends = /(?:[.?!}`…]|‹›|: [^.]+|: .* > \S+)$/;
  expect(shown(those('hint').filter(({ text }) => text !== '' && !(begins.test(text) && ends.test(text))))).toEqual([]);
});

test('groups say what is going on', () => {
  expect(shown(those('group').filter(({ text }) => !/^[A-Z][a-z]+ing\b/.test(text)))).toEqual([]);
});

test('no private words', () => {
  const words =
    /\bis no (?!longer)|\b(?:legal|illegal|lack(?:s|ing)?|brought|brings|tak(?:en|es) over|in the stead|anew|mend(?:ed)?|whoever|shall|heeds?)\b|\bstands\b|\bhas not$|\bunless given\b|, for (?:it|they|this) /i;
  expect(shown(literals.filter(({ text }) => words.test(text)))).toEqual([]);
});
