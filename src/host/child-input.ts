import type { Writable } from 'node:stream';
import type { ExecOptions } from '../core/exec.ts';

type Blocks = AsyncIterable<Uint8Array>;

/** Whether standard input comes block by block. */
export const isBlocks = (input: ExecOptions['input']): input is Blocks =>
  typeof input === 'object' && Symbol.asyncIterator in input;

/**
 * Writes blocks to a child's standard input, asking for the next once the child's pipe has taken the one before, and closes
 * it. Gives false when the child stopped reading before the end; throws what `blocks` throws.
 */
export async function feed(blocks: Blocks, stdin: Writable): Promise<boolean> {
  // Each write tells of its own failure; without a listener the stream's event would end this process.
  stdin.on('error', () => {});
  for await (const block of blocks) {
    if (!(await taken(stdin, block))) return false;
  }
  stdin.end();
  return true;
}

const taken = (stdin: Writable, block: Uint8Array): Promise<boolean> =>
  new Promise((resolve) => {
    stdin.write(block, (error) => resolve(!error));
  });
