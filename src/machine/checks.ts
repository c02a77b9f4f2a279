import { sizeText } from '../core/size.ts';
import { columns } from '../core/table.ts';
import type { System } from '../oci/system.ts';

/** What was found on a machine. */
export interface MachineFacts {
  /** As it calls itself; undefined where there is none. */
  readonly nix: string | undefined;
  /** Lines missing from nix.conf; this project's own calls do without them. */
  readonly missingLines: readonly string[];
  /** Program and version that runs containers, or why none does. */
  readonly containers: { readonly label: string } | { readonly why: string };
  /** Systems of another kind that were asked for, and whether their programs run here. */
  readonly emulation: readonly { readonly system: System; readonly isReady: boolean }[];
  /** Systems whose disks were asked for, with what boots them here, or why nothing does and what to do. */
  readonly boots: readonly BootFact[];
  /** In bytes. */
  readonly free: number;
  readonly wanted: number;
  readonly folder: string;
}

type BootFact =
  | { readonly system: System; readonly label: string }
  | { readonly system: System; readonly why: string; readonly fix: string };

/** One thing that a machine needs, and what to do where it is missing. */
export interface Check {
  readonly name: string;
  /** `optional`: it is missing, and images are built without it. */
  readonly state: 'ok' | 'missing' | 'optional';
  readonly found: string;
  readonly fix: string | null;
}

/** Whether images can be built on a machine of which these facts are known, thing by thing. */
export function machineChecks(facts: MachineFacts): Check[] {
  const { nix, missingLines, containers, emulation, boots, free, wanted, folder } = facts;
  return [
    nix === undefined ? missing('nix', 'not found', 'Install it: https://nixos.org/download') : found('nix', nix),
    ...(nix === undefined || missingLines.length === 0
      ? []
      : [
          optional(
            'nix.conf',
            'less than most people set',
            `nix-images does not need them, other commands may: ${missingLines.join('; ')}`,
          ),
        ]),
    'label' in containers
      ? found('containers', containers.label)
      : optional('containers', containers.why, 'Tests of images are not run. Install podman or docker to run them.'),
    ...emulation.map(({ system, isReady }) =>
      isReady
        ? found('emulation', `${system} programs run here`)
        : missing('emulation', `${system} programs do not run here`, EMULATION_FIX),
    ),
    ...boots.map((boot) =>
      'label' in boot
        ? found('boot', `disks for ${boot.system}: ${boot.label}`)
        : optional('boot', boot.why, `Tests of disks for ${boot.system} are not run. ${boot.fix}`),
    ),
    free >= wanted
      ? found('space', `${sizeText(free)} free for ${folder}`)
      : missing(
          'space',
          `${sizeText(free)} free for ${folder}, ${sizeText(wanted)} wanted`,
          'Run nix-collect-garbage -d, or ask for less with --free-space.',
        ),
  ];
}

const EMULATION_FIX =
  'Install qemu-user-static (Debian, Ubuntu) or set boot.binfmt.emulatedSystems (NixOS); in a workflow, the action setup does it.';

const found = (name: string, what: string): Check => ({ name, state: 'ok', found: what, fix: null });
const missing = (name: string, what: string, fix: string): Check => ({ name, state: 'missing', found: what, fix });
const optional = (name: string, what: string, fix: string): Check => ({ name, state: 'optional', found: what, fix });

/** The words of a state, of one length, so that two reports read alike. */
const STATE = { ok: 'ok     ', missing: 'missing', optional: 'without' } as const;

/** A verdict, then a line for each thing, with what to do below those that are missing. */
export function checksText(checks: readonly Check[]): string {
  const needed = checks.filter(({ state }) => state === 'missing');
  const verdict =
    needed.length === 0
      ? 'ready to build images'
      : `not ready to build images: ${needed.map(({ name }) => name).join(', ')}`;
  const rows = checks.flatMap(({ name, state, found: what, fix }) => [
    [STATE[state], name, what],
    ...(fix === null ? [] : [['', '', fix]]),
  ]);
  return [verdict, '', ...columns(rows)].join('\n');
}
