import { UserError } from '../core/error.ts';
import { nixMessage } from './failure.ts';
import type { Nix } from './nix.ts';
import { updateLockCommand } from './version.ts';

/** What GitHub says to those who ask without a token, sixty times an hour for all at one address. */
const LIMITED = /rate limit exceeded/i;

/**
 * Has Nix update flake.lock in a folder, of all inputs or of those that are named. Nothing is returned: what was written is what counts.
 * Throws UserError `evaluation` with Nix's words.
 */
export async function updateFlakeLock(nix: Nix, folder: string, inputs: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await nix.command(updateLockCommand(nix.version, folder, inputs), {
    onStderrLine: (line) => nix.log.debug(line),
  });
  if (exitCode === 0) return;
  const hint = LIMITED.test(stderr)
    ? 'Give Nix a token: `access-tokens = github.com=TOKEN` in nix.conf (in a workflow, the input `access-tokens` of setup).'
    : 'An input cannot be fetched, or flake.nix does not say it as Nix wants it: nix flake update shows more.';
  throw new UserError('evaluation', `updating ${folder}/flake.lock failed: ${nixMessage(stderr)}`, { hint });
}
