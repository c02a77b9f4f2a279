import { StringDecoder } from 'node:string_decoder';

/** Characters of each stream that are kept, from the end: as much as exec keeps of standard error. */
const KEPT = 256 * 1024;

/** What a container says, as it says it. */
export interface Output {
  readonly readStdout: (stream: AsyncIterable<Uint8Array>) => Promise<void>;
  readonly onStderrLine: (line: string) => void;
  /** The end of standard output. */
  stdout(): string;
  /** The end of both streams, in the order they came. */
  both(): string;
}

/** Collects output without end in bounded memory. */
export function createOutput(): Output {
  let stdout = '';
  let both = '';
  const add = (text: string): void => {
    both = (both + text).slice(-KEPT);
  };
  const readStdout = async (stream: AsyncIterable<Uint8Array>): Promise<void> => {
    const decoder = new StringDecoder('utf8');
    const take = (text: string): void => {
      stdout = (stdout + text).slice(-KEPT);
      add(text);
    };
    for await (const chunk of stream) take(decoder.write(Buffer.from(chunk)));
    take(decoder.end());
  };
  return { readStdout, onStderrLine: (line) => add(`${line}\n`), stdout: () => stdout, both: () => both };
}
