import { existsSync } from 'node:fs';
import { UserError } from '../core/error.ts';
import { nixMessage } from './failure.ts';
import { narOfPath } from './nar-writer.ts';
import type { Nix } from './nix.ts';

/** By which `narOfPath` knows what it opened: Linux has it. */
const OPEN_FILES = '/proc/self/fd';

/**
 * Gives the NAR of a store path to `use` as it comes, read from the disk where the store lies there: starting a process takes longer
 * than most paths. A block is valid until the next one is asked for. What comes may end too early: whoever takes it checks it. Throws UserError
 * `build` when the store cannot read the path, and what `use` throws.
 */
export async function dumpNar(
  nix: Nix,
  path: string,
  use: (nar: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const { elsewhere } = await nix.storeSettings();
  if (elsewhere === undefined && existsSync(OPEN_FILES)) return await use(narOfPath(path));
  const args = ['store', 'dump-path', '--option', 'substitute', 'false', path];
  const { exitCode, stderr } = await nix.command(args, { onStdout: use });
  if (exitCode !== 0) throw new UserError('build', `cannot read ${path}: ${nixMessage(stderr)}`);
}
