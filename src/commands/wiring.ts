import { availableParallelism } from 'node:os';
import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import type { BuildTools } from '../image/from-definition/build-from-nix.ts';
import { LayerThreads } from '../layer/layer-threads.ts';
import { fileInstallable, type Installable, parseInstallable } from '../nix/installable.ts';
import { REQUIRE_LOCK } from '../nix/lock-file.ts';
import { type Elsewhere, type Nix, openNix } from '../nix/nix.ts';
import { importFlags } from '../nix/settings.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import type { Places } from './places.ts';

/** What a command's inputs say about Nix. */
export interface NixInputs extends Elsewhere {
  readonly nixArg: readonly string[];
  readonly allowImportFromDerivation: boolean;
  readonly requireLock: boolean;
}

/** Arguments that applies to evaluations only, and have inputs of their own that reach everything. */
const OWN_INPUTS = ['--store', '--eval-store', '--builders'];

/** Opens the Nix of this machine. Throws UserError `input` and what `openNix` throws. */
export async function nixOf(
  host: Host,
  { nixArg, allowImportFromDerivation, requireLock, store, evalStore, builders }: NixInputs,
): Promise<Nix> {
  const own = nixArg.find((argument) => OWN_INPUTS.includes(argument));
  if (own !== undefined) {
    throw new UserError('input', `--nix-arg ${own} applies to evaluations only`, {
      hint: `Write ${own} by itself; in a workflow it is the input ${own.slice(2)}.`,
    });
  }
  const elsewhere = { store, evalStore, builders };
  // A person's own arguments follow, and of equal options the last counts.
  const lock = requireLock ? [REQUIRE_LOCK] : [];
  const nixArgs = [...importFlags(allowImportFromDerivation), ...lock, ...nixArg];
  return openNix({ exec: host.exec, log: host.log, signal: host.signal, nixArgs, elsewhere });
}

/** The installables that a command was given. Throws UserError `input` when flake and file are mixed. */
export function installables(
  given: readonly string[],
  file: string | undefined,
  attr: string | undefined,
): Installable[] {
  if (file !== undefined) {
    if (given.length > 0) {
      throw new UserError('input', `both ${given[0]} and --file ${file} are given`, {
        hint: 'Name a flake or a file, not both.',
      });
    }
    return [fileInstallable(file, attr)];
  }
  if (attr !== undefined) {
    throw new UserError('input', '--attr is given without --file', {
      hint: 'Write FLAKE#NAME, or --file FILE -A ATTR.',
    });
  }
  return given.map(parseInstallable);
}

/** Each thread takes some 25 MiB with its upload, and beyond four the network or the registry is what one waits for. */
const MOST_THREADS = 4;

export const buildTools = async (host: Host, nix: Nix, places: Places): Promise<BuildTools> => ({
  nix,
  exec: host.exec,
  openForReading: places.openForReading,
  tempDir: await host.tempDir(),
  openWriter: () => new LayerThreads(host.program, Math.min(availableParallelism(), MOST_THREADS)),
  log: host.log,
  signal: host.signal,
});

/** The system whose programs run on this machine without emulation. Throws UserError `input` where there is none. */
export function systemHere(architecture: string = process.arch): System {
  const system = { x64: SYSTEMS[0], arm64: SYSTEMS[1] }[architecture];
  if (system) return system;
  throw new UserError('input', `images are not built for this machine's architecture, ${architecture}`, {
    hint: `Choose with --system: ${SYSTEMS.join(' or ')}.`,
  });
}
