import { type FileHandle, open } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { withFileErrors } from '../core/file-error.ts';
import { plainText } from '../core/printable.ts';
import { createConsoleText } from './console-text.ts';

/** Characters that are kept of a console, from the end: a kernel that says all it can writes some 200 kB. */
const KEPT = 1024 * 1024;

/** Bytes of a console that go to its file: what repeats itself without end must not fill the disk. */
const FILE_LIMIT = 16 * 1024 * 1024;

/** What has come of a console so far. */
export interface ConsoleView {
  /** The end of it. */
  readonly text: string;
  /** How many characters came before `text`. */
  readonly start: number;
}

/** A console that is read while its machine runs. */
interface Console {
  readonly read: (stream: AsyncIterable<Uint8Array>) => Promise<void>;
  view(): ConsoleView;
}

/**
 * Keeps the end of a console as lines of plain text, and writes them to `file` where one is given: the first 16 MiB. `read`
 * throws UserError `file` where that cannot be written.
 */
export function createConsole(file: string | null): Console {
  let [text, start] = ['', 0];
  const keep = (more: string): void => {
    text += more;
    // Not at every block, for that would copy it each time.
    if (text.length <= 2 * KEPT) return;
    start += text.length - KEPT;
    text = text.slice(-KEPT);
  };
  const read = async (stream: AsyncIterable<Uint8Array>): Promise<void> => {
    const [decoder, lines] = [new StringDecoder('utf8'), createConsoleText()];
    const log = file === null ? undefined : await openLog(file);
    try {
      for await (const block of stream) {
        const more = lines.push(decoder.write(Buffer.from(block)));
        keep(more);
        await log?.write(more);
      }
    } finally {
      await log?.close();
    }
  };
  return { read, view: () => ({ text, start }) };
}

async function openLog(path: string) {
  const file: FileHandle = await withFileErrors(path, 'write', () => open(path, 'w'));
  let left = FILE_LIMIT;
  return {
    write: async (text: string): Promise<void> => {
      if (left <= 0 || text === '') return;
      const bytes = Buffer.from(plainText(text));
      left -= bytes.length;
      const end = left > 0 ? '' : '\n… the rest is left out\n';
      await withFileErrors(path, 'write', () => file.appendFile(Buffer.concat([bytes, Buffer.from(end)])));
    },
    close: () => file.close(),
  };
}
