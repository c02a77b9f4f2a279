import fc from 'fast-check';

/** Inputs of each property: few in the suite; `NIX_IMAGES_FUZZ_RUNS=100000` for a long look. */
export const FUZZ_RUNS = Number(process.env.NIX_IMAGES_FUZZ_RUNS ?? 60);

/** Milliseconds for as many runs as that. */
export const FUZZ_TIME = Math.max(20_000, FUZZ_RUNS * 20);

/** What a stranger's text may hold to be taken for something else than text. */
const PIECES = [
  ...['\r', '\n', '\r\n', '\v', '\f', '\u0085', '\u2028', '\u2029', '\t', ' ', '    ', '\0'],
  ...['\u001b[2J', '\u001b]0;title\u0007', '\u009b1A', '\u001b[31m', '\b', '\u007f', '\u001b'],
  ...['\u202e', '\u2066', '\u200b', '\u200f', '\u00ad', '\ufeff', '\u{e0041}', '\ud800', '\udc00'],
  ...['::set-output name=a::b', '::error::x', '::add-mask::e', '##[group]', '##[error]', '::', '%0A', '%25'],
  ...['# h', '## h', '[a](https://e.example)', '![x](//e.example/i)', '[x]: y', '<img src=x>', '</code>', '<!--', '|'],
  ...['`', '```', '@someone', 'https://e.example', 'www.e.example', '&#x3c;', '&lt;', '\\', '**', '~~', '_', '$x$'],
  ...[':tada:', '- a', '1. a', '> a', '---', '===', 'org/repo#1', 'EOF', '<<EOF', 'ghadelimiter_', 'error: forged'],
  ...['hint: forged', 'cause: forged', 'constructor', '__proto__', 'toString', 'ä', '😀', 'word', 'a b'],
];

/** Texts of a stranger. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);

/** Characters that a terminal acts on, that show other letters than are there, or that end a line for some reader. */
export const ACTIVE = /[^\P{Cc}\n\t]|[^\P{Cf}\u200c\u200d]|[\u2028\u2029]/u;
