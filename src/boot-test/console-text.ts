/** Characters of an escape sequence that are waited for; real ones are shorter, and what never ends must not swallow the rest. */
const SEQUENCE_LIMIT = 1024;

/** Where in an escape sequence the last block ended (ECMA-48). */
type State = 'text' | 'escape' | 'control' | 'string' | 'one-more';

/** Sequences that run up to their own end: device control, title of a window, and their like. */
const STRINGS = 'P]X^_';

/** Takes a console's text block by block, and gives of each what a reader sees. */
interface ConsoleText {
  push(text: string): string;
}

/**
 * A serial console as lines: without escape sequences and control characters, `\n` alone for the ends of lines. Firmware and
 * getty place the cursor instead of ending a line, so a new place is a new line, as is a carriage return that something
 * follows. Sequences may be cut anywhere between two blocks.
 */
export function createConsoleText(): ConsoleText {
  let state: State = 'text';
  let length = 0;
  let hasReturned = false;
  let isLineEmpty = true;
  let out = '';
  const endLine = (): void => {
    out += '\n';
    isLineEmpty = true;
  };
  const take = (char: string): void => {
    if (char === '\r') {
      hasReturned = true;
      return;
    }
    const returned = hasReturned;
    hasReturned = false;
    if (char === '\n') {
      endLine();
      return;
    }
    if (char !== '\t' && /\p{Cc}/u.test(char)) return;
    if (returned && !isLineEmpty) endLine();
    out += char;
    isLineEmpty = false;
  };
  const next = (char: string): State => {
    length += 1;
    if (state === 'text') {
      if (char !== '\u001b') take(char);
      length = 0;
      return char === '\u001b' ? 'escape' : 'text';
    }
    if (length > SEQUENCE_LIMIT || char === '\u001b') return char === '\u001b' ? 'escape' : 'text';
    if (state === 'escape') {
      if (char === '[') return 'control';
      if (STRINGS.includes(char)) return 'string';
      return /[ -/]/.test(char) ? 'one-more' : 'text';
    }
    if (state === 'string') {
      if (char === '\n') endLine();
      return char === '\u0007' || char === '\n' ? 'text' : 'string';
    }
    if (state === 'one-more') return 'text';
    if (/[ -?]/.test(char)) return 'control';
    if ((char === 'H' || char === 'f') && !isLineEmpty) endLine();
    // A line end within a sequence is one all the same.
    if (char < ' ') take(char);
    return 'text';
  };
  return {
    push(text) {
      out = '';
      for (const char of text) state = next(char);
      return out;
    },
  };
}
