import { UserError } from '../core/error.ts';
import { shellWord } from '../core/shell.ts';
import { nixMessage } from './failure.ts';

/** What went wrong in a build, as told by `nix-store --realise`. */
type BuildFailure =
  | { readonly kind: 'system'; readonly drvPath: string; readonly needed: string; readonly here: string }
  | { readonly kind: 'features'; readonly drvPath: string; readonly features: string }
  | { readonly kind: 'jobs'; readonly drvPath: string }
  | { readonly kind: 'hash'; readonly drvPath: string; readonly specified: string; readonly got: string }
  | { readonly kind: 'builder'; readonly drvPath: string; readonly reason: string }
  | { readonly kind: 'derivation'; readonly drvPath: string }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'group'; readonly group: string }
  | { readonly kind: 'other' };

type Matcher = (stderr: string) => BuildFailure | undefined;

const matcher =
  (pattern: RegExp, make: (groups: Record<string, string>) => BuildFailure): Matcher =>
  (stderr) => {
    const groups = pattern.exec(stderr)?.groups;
    return groups && make(groups);
  };

const system = ({ drv = '', needed = '', here = '', features = '' }: Record<string, string>): BuildFailure =>
  needed === here ? { kind: 'features', drvPath: drv, features } : { kind: 'system', drvPath: drv, needed, here };

const builder = ({ drv = '', reason = '' }: Record<string, string>): BuildFailure => ({
  kind: 'builder',
  drvPath: drv,
  reason: reason.replace(/\.$/, ''),
});

const derivation = ({ drv = '' }: Record<string, string>): BuildFailure => ({ kind: 'derivation', drvPath: drv });

const path = ({ path: missing = '' }: Record<string, string>): BuildFailure => ({ kind: 'path', path: missing });

// The cause comes before its consequences ("1 dependency failed") in every version, so the first match counts.
const MATCHERS: readonly Matcher[] = [
  // Up to 2.2x, then 2.3x.
  matcher(
    /a '(?<needed>[^']+)' with features {(?<features>[^{}\n]*)} is required to build '(?<drv>[^']+)', but I am a '(?<here>[^']+)'/,
    system,
  ),
  matcher(
    /Cannot build '(?<drv>[^']+)'\.\s+Reason: (?:platform mismatch|required (?:system|feature)[^\n]*)\n\s*Required system: '(?<needed>[^']+)'[^\n]*\n\s*Current system: '(?<here>[^']+)'/,
    system,
  ),
  matcher(
    /Cannot build '(?<drv>[^']+)'\.\s+Reason: missing system features\s+Required features: {(?<features>[^{}\n]*)}/,
    ({ drv = '', features = '' }) => ({ kind: 'features', drvPath: drv, features }),
  ),
  matcher(/Cannot build '(?<drv>[^']+)'\.\s+Reason: local builds are disabled/, ({ drv = '' }) => ({
    kind: 'jobs',
    drvPath: drv,
  })),
  // Lix names the URL first.
  matcher(
    /hash mismatch in fixed-output derivation '(?<drv>[^']+)':\s+(?:likely URL: [^\n]*\n\s*)?specified:\s+(?<specified>\S+)\s+got:\s+(?<got>\S+)/,
    ({ drv = '', specified = '', got = '' }) => ({ kind: 'hash', drvPath: drv, specified, got }),
  ),
  matcher(/builder for '(?<drv>[^']+)' (?<reason>failed[^\n;]*)/, builder),
  matcher(/Cannot build '(?<drv>[^']+)'\.\s+Reason: (?!\d+ dependenc)(?<reason>[^\n]*)/, builder),
  matcher(/cannot build missing derivation '(?<drv>[^']+)'|failed to obtain derivation of '(?<drv2>[^']+)'/, (groups) =>
    derivation({ drv: groups.drv ?? groups.drv2 ?? '' }),
  ),
  matcher(/path '(?<path>[^']+)' is required, but there is no substituter/, path),
  matcher(/path '(?<path>[^']+)' does not exist and cannot be created/, path),
  matcher(/the group '(?<group>[^']+)' specified in 'build-users-group' does not exist/, ({ group = '' }) => ({
    kind: 'group',
    group,
  })),
  matcher(/don't know how to build these paths[^\n]*:\n\s*(?<path>\/nix\/store\/\S+)/, path),
];

/**
 * What nix has to say is at the beginning of a line. A builder may write lines of any length, and each of these
 * expressions may begin again at many places of one.
 */
const LINE_LENGTH = 4096;

/** Finds out what `nix-store --realise` complained about. Pure. */
export function parseBuildFailure(stderr: string): BuildFailure {
  const lines = stderr.split('\n').map((line) => line.slice(0, LINE_LENGTH));
  const text = lines.join('\n');
  for (const match of MATCHERS) {
    const failure = match(text);
    if (failure) return failure;
  }
  return { kind: 'other' };
}

const NO_SPACE = /No space left on device/;

const spaceHint = 'Free some space (nix-collect-garbage), or build on a larger disk.';

const systemHint = (needed: string): string =>
  `Let this machine run programs of ${needed} (binfmt_misc with qemu-user, and extra-platforms = ${needed} in nix.conf), ` +
  'name a remote builder (--builders, or in nix.conf), or build each system on a native runner with a matrix.';

/** `log` is the end of the failed builder's log. */
export function buildError(failure: BuildFailure, stderr: string, log: readonly string[]): UserError {
  const full = NO_SPACE.test(stderr) || log.some((line) => NO_SPACE.test(line));
  const said = log.length > 0 ? `; the last lines of its log:\n${log.map((line) => `  ${line}`).join('\n')}` : '';
  switch (failure.kind) {
    case 'system':
      return new UserError(
        'system',
        `${failure.drvPath} must be built on ${failure.needed}, and this machine builds for ${failure.here}`,
        { hint: systemHint(failure.needed), docs: 'caches.md#emulation' },
      );
    case 'features':
      return new UserError(
        'system',
        `${failure.drvPath} needs a machine with the system feature ${failure.features}, which this machine does not have`,
        {
          hint: 'Name a remote builder that has it (--builders), or add it to system-features in nix.conf.',
          docs: 'caches.md#remote-builders',
        },
      );
    case 'jobs':
      return new UserError(
        'system',
        `${failure.drvPath} must be built, and this machine builds nothing (max-jobs = 0)`,
        {
          hint: 'Set max-jobs in nix.conf to 1 or more, or name a remote builder (--builders, or in nix.conf).',
          docs: 'caches.md#remote-builders',
        },
      );
    case 'hash':
      return new UserError(
        'build',
        `${failure.drvPath} has the wrong hash: specified ${failure.specified}, got ${failure.got}`,
        { hint: 'If the new content is right, write its hash into the expression.' },
      );
    case 'builder':
      return new UserError(full ? 'file' : 'build', `building ${failure.drvPath} failed: ${failure.reason}${said}`, {
        hint: full ? spaceHint : `For the whole log, run: nix-store --read-log ${shellWord(failure.drvPath)}`,
      });
    case 'derivation':
      return new UserError('build', `${failure.drvPath} is no longer in the store, so it cannot be built`, {
        hint: 'Evaluate again; a garbage collection may have run in between.',
      });
    case 'path':
      return new UserError(
        'build',
        `${failure.path} is not in the store or at a substituter, and no derivation builds it`,
        {
          hint:
            'A path written as plain text in a definition must be in the store or at a substituter. Name its package, or a file of the flake as ' +
            './FILE; toString ./FILE leaves only text, for which Nix 2.35 and newer put nothing into the store.',
        },
      );
    case 'group':
      return new UserError('build', `Nix builds as members of the group ${failure.group}, which does not exist here`, {
        hint:
          'As root without a daemon, write `build-users-group =` into nix.conf (in a container, say), or install Nix with ' +
          'its daemon, which creates the group.',
      });
    default:
      return new UserError(full ? 'file' : 'build', `nix-store --realise failed: ${nixMessage(stderr)}`, {
        ...(full && { hint: spaceHint }),
      });
  }
}
