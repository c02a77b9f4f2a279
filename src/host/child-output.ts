import { StringDecoder } from 'node:string_decoder';

/** @internal What `ExecResult.stderr` keeps, in characters: enough for any message, little enough for a build that logs for hours. */
export const TAIL_LIMIT = 256 * 1024;

/** A line longer than this is passed on in pieces, so that output without line ends cannot fill the memory. */
const LINE_LIMIT = 64 * 1024;

interface StderrReader {
  push(chunk: Uint8Array): void;
  /** Passes on the last line where it has no end, and returns the tail. */
  end(): string;
}

/** Takes standard error in chunks as they come; calls `onLine` for each line and keeps the end of the whole. */
export function createStderrReader(onLine: (line: string) => void): StderrReader {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let tail = '';
  const take = (text: string) => {
    tail = (tail + text).slice(-TAIL_LIMIT);
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    if (rest.length > LINE_LIMIT) {
      onLine(rest);
      rest = '';
    }
  };
  return {
    push: (chunk) => take(decoder.write(chunk as Buffer)),
    end: () => {
      take(decoder.end());
      if (rest !== '') onLine(rest);
      rest = '';
      return tail;
    },
  };
}

/** Bytes of standard output. The largest known answer, the closure of a NixOS system as JSON, is under 100 MB. */
export const STDOUT_LIMIT = 256 * 1024 * 1024;

interface StdoutReader {
  push(chunk: Uint8Array): void;
  readonly overflown: boolean;
  text(): string;
}

/** Collects standard output; past `limit` bytes it drops everything and calls `onOverflow` once. */
export function createStdoutReader(onOverflow: () => void, limit = STDOUT_LIMIT): StdoutReader {
  let chunks: Uint8Array[] = [];
  let size = 0;
  return {
    push: (chunk) => {
      const before = size;
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else if (before <= limit) {
        chunks = [];
        onOverflow();
      }
    },
    get overflown() {
      return size > limit;
    },
    // Decoded as a whole: a character may be cut in two by the end of a chunk.
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}
