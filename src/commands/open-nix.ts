import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import { REQUIRE_LOCK } from '../nix/lock-file.ts';
import { type Elsewhere, type Nix, openNix } from '../nix/nix.ts';
import { importFlags } from '../nix/settings.ts';
import { keepBuildStarts } from './build-starts.ts';

/** What a command's inputs say about Nix. */
interface NixInputs extends Elsewhere {
  readonly nixArg: readonly string[];
  readonly allowImportFromDerivation: boolean;
  readonly requireLock: boolean;
}

/** Arguments that apply to evaluations only, and have inputs of their own that reach everything. */
const OWN_INPUTS = ['--store', '--eval-store', '--builders'];

/** Opens the Nix of this machine. Throws UserError `input` and what `openNix` throws. */
export async function openNixFor(
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
  const { exec, log, signal } = host;
  return openNix({ exec, log, signal, nixArgs, elsewhere, onBuild: keepBuildStarts(host) });
}
