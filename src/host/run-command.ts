import { UserError } from '../core/error.ts';
import type { Command, CommandResult } from './command.ts';
import { asUserError, EXIT } from './failure.ts';
import { type Fields, fieldMeta, type InputsOf } from './fields.ts';
import type { Host } from './host.ts';
import type { RawInputs } from './inputs.ts';
import { proxySecrets } from './proxy.ts';
import { createTempDirs } from './temp.ts';

const loadArtifactClient: Host['loadArtifactClient'] = async () => {
  const { DefaultArtifactClient } = await import('@actions/artifact');
  return new DefaultArtifactClient();
};

/** Hides what was read for secret inputs, before anything checks or logs it. */
export function maskSecrets(fields: Fields, raw: RawInputs, mask: (value: string) => void): void {
  for (const [name, field] of Object.entries(fields)) {
    const value = raw[name];
    if (fieldMeta(field).kind === 'secret' && typeof value === 'string') mask(value);
  }
}

/**
 * Runs a command with inputs that were checked already, presents what it did, and removes its temporary folders whatever comes of it.
 * Throws UserError `cancelled` when `host.signal` ended it.
 */
export async function runCommand(
  command: Command,
  inputs: InputsOf<Fields>,
  host: Omit<Host, 'tempDir' | 'loadArtifactClient'>,
  tempParent: string,
): Promise<CommandResult> {
  const temp = createTempDirs(tempParent);
  for (const secret of proxySecrets(host.env)) host.log.mask(secret);
  try {
    return command.present(await command.run(inputs, { ...host, tempDir: temp.create, loadArtifactClient }));
  } catch (error) {
    throw asUserError(error, host.signal);
  } finally {
    await temp.remove();
  }
}

/** The exit code that a failure of `run` ends the command line with. */
export function exitCodeOf(error: unknown, signal: AbortSignal): number {
  if (signal.aborted) return EXIT.interrupted;
  return error instanceof UserError && error.code === 'input' ? EXIT.usage : EXIT.failed;
}
