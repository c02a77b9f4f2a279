import { shellWord } from '../core/shell.ts';
import { textFrom } from './booted.ts';
import type { ConsoleView } from './console.ts';

/** What each mark begins with. In what is typed, and so echoed, a blank parts it from the rest. */
const MARK = 'nix-images-';

/** Bytes of a line that a terminal takes before the rest is lost (termios(3), canonical mode), less room for the end. */
const LINE_LIMIT = 4000;

/** A command as it is typed, and how its output is found. */
interface TypedCommand {
  /** With the line's end. */
  readonly line: string;
  /** Whether a terminal would cut it. */
  readonly isTooLong: boolean;
  /** Exit code and output, standard output and error together; undefined while it runs. */
  readonly result: (
    view: ConsoleView,
    from: number,
  ) => { readonly exitCode: number; readonly output: string } | undefined;
}

/**
 * A shell's line that runs a command between two marks with a number of its own. What else is on the console before and
 * behind them counts for nothing, so it does not matter what the prompt is and whether the line is echoed.
 */
export function typedCommand(words: readonly string[], number: string): TypedCommand {
  const mark = (name: string): string => `printf '\\n%s%s %s\\n' ${MARK} ${name}-${number}`;
  const { prefix, line } = shellLine(words);
  const whole = `${prefix}${mark('begin')} 0; ${line} </dev/null 2>&1; ${mark('end')} $?\n`;
  const between = new RegExp(`^${MARK}begin-${number} 0\\n([\\s\\S]*?)\\n?^${MARK}end-${number} (\\d+)\\n`, 'm');
  return {
    line: whole,
    isTooLong: Buffer.byteLength(whole) > LINE_LIMIT,
    result: (view, from) => {
      const found = between.exec(textFrom(view, from));
      return found ? { exitCode: Number(found[2]), output: found[1] ?? '' } : undefined;
    },
  };
}

/**
 * Words for a shell that edits its line: a tab or an escape would be a key to it, so whatever is no printable ASCII is put
 * into a variable by printf.
 */
function shellLine(words: readonly string[]): { readonly prefix: string; readonly line: string } {
  let prefix = '';
  const quoted = words.map((word, at) => {
    if (/^[\x20-\x7e]*$/.test(word)) return shellWord(word);
    const bytes = [...Buffer.from(word)].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`);
    // $() takes line ends from the end, so a point stands behind them.
    prefix += `w${at}=$(printf %b '${bytes.join('')}.'); `;
    return `"\${w${at}%.}"`;
  });
  return { prefix, line: quoted.join(' ') };
}

/** A line that shows that a shell reads, and quiets what would write between the output of commands: kernel and systemd. */
export const readyLine = (number: string): string =>
  `{ echo 1 >/proc/sys/kernel/printk; [ -d /run/systemd/system ] && kill -55 1; } 2>/dev/null; printf '\\n%s%s\\n' ${MARK} ready-${number}\n`;

/** What it prints. */
export const readyMark = (number: string): RegExp => new RegExp(`^${MARK}ready-${number}$`, 'm');
