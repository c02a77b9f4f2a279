import { UserError } from '../core/error.ts';
import { nixMessage } from './failure.ts';
import type { Nix } from './nix.ts';

/**
 * Gives the NAR of a store path to `use` as it comes. What comes may end too early: whoever takes it checks it. Throws UserError
 * `build` when the store cannot read the path, and what `use` throws.
 */
export async function dumpNar(
  nix: Nix,
  path: string,
  use: (nar: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const args = ['store', 'dump-path', '--option', 'substitute', 'false', path];
  const { exitCode, stderr } = await nix.command(args, { onStdout: use });
  if (exitCode !== 0) throw new UserError('build', `cannot read ${path}: ${nixMessage(stderr)}`);
}
