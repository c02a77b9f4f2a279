import { resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Command, CommandResult } from './command.ts';
import { asUserError, EXIT } from './failure.ts';
import { type Fields, fieldMeta, type InputsOf } from './fields.ts';
import type { Host } from './host.ts';
import type { RawInputs } from './inputs.ts';
import { proxySecrets } from './proxy.ts';
import { createTempDirs } from './temp.ts';
import { startTimings } from './timings.ts';
import { VERSION } from './version.ts';

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

/** What a face runs a command with. */
interface Face extends Omit<Host, 'tempDir' | 'loadArtifactClient'> {
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** Hides secrets in what is written to files. */
  readonly hide: (text: string) => string;
}

/**
 * Runs a command with inputs that were checked already, presents what it did, and removes its temporary folders whatever comes of it.
 * Where `timings` names a file, it gets the times of all of it, also when it failed. Throws UserError `cancelled` when `host.signal` ended
 * it, `file` where that file cannot be written.
 */
export async function runCommand(
  command: Command,
  inputs: InputsOf<Fields>,
  { now, hide, ...face }: Face,
  tempParent: string,
): Promise<CommandResult> {
  const temp = createTempDirs(tempParent);
  const { timings: file } = inputs;
  try {
    const timings = typeof file === 'string' ? await startTimings(resolve(face.cwd, file), face, now) : undefined;
    const host = timings?.host ?? face;
    for (const secret of proxySecrets(host.env)) host.log.mask(secret);
    try {
      return command.present(await command.run(inputs, { ...host, tempDir: temp.create, loadArtifactClient }));
    } finally {
      await timings?.write(
        `nix-images ${command.name}`,
        { program: `nix-images ${VERSION}`, command: command.name },
        hide,
      );
    }
  } catch (error) {
    throw asUserError(error, face.signal);
  } finally {
    await temp.remove();
  }
}

/** The exit code that a failure of `run` ends the command line with. */
export function exitCodeOf(error: unknown, signal: AbortSignal): number {
  if (signal.aborted) return EXIT.interrupted;
  return error instanceof UserError && error.code === 'input' ? EXIT.usage : EXIT.failed;
}
