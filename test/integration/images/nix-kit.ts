import { join } from 'node:path';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { cliData, IMAGES, type Published } from '../../support/cli.ts';
import type { Podman } from '../../support/podman.ts';
import { X86 } from '../../support/systems.ts';
import { type ProgramResult, runProgram } from '../../support/tools.ts';

/** What the images are made of, under Debian's names. */
const PACKAGES = [
  ...[
    'bash',
    'ca-certificates',
    'coreutils',
    'curl',
    'findutils',
    'git',
    'gnu-which',
    'grep',
    'gzip',
    'less',
    'netbase',
  ],
  ...['nix-bin', 'openssh-client', 'openssh-server', 'patchelf', 'sed', 'tar', 'tini', 'tzdata', 'xz-utils', 'jq'],
];

/** Debian 13, or the release that tests run on: Debian 12 in CI. */
export type Suite = 'trixie' | 'own';

let suite: Suite = 'own';

/** Chooses whose packages the images of a test file are made of; the next file in the process chooses anew. */
export const useSuite = (chosen: Suite): void => {
  suite = chosen;
};

/** The tests that the image with Nix declares. */
export const NIX_TESTS = ['builds', 'places'];

/** The tests that the remote builder declares. */
export const NIX_SSH_TESTS = [...NIX_TESTS, 'refuses', 'serves'];

/** Emulation is tried with one release, for fetching and unpacking another one for AArch64 takes minutes. */
export const isEmulationTried = (): boolean => suite === 'own';

/** The folder of the stand-in for nixpkgs. */
export const standIn = (): Promise<string> =>
  debianPackages({ packages: PACKAGES, ...(isEmulationTried() ? {} : { suite, systems: [X86] }) });

/** Words that choose one of the images in test/fixtures/images/nix.nix. */
export const nixImage = async (name: string): Promise<string[]> => [
  ...['--file', join(IMAGES, 'nix.nix'), '--attr', name],
  ...['--argstr', 'packages', await standIn()].map((argument) => `--nix-arg=${argument}`),
];

/** What `publish --json` says, with how the image's own tests went. */
export interface Tried extends Published {
  readonly platforms: readonly (Published['platforms'][number] & {
    readonly tests: { readonly passed: readonly { readonly name: string }[] };
  })[];
}

/** The image's own tests that passed before it was published, by platform. */
export const passedTests = ({ platforms }: Tried): [string, string[]][] =>
  platforms.map(({ platform, tests }) => [platform, tests.passed.map(({ name }) => name)]);

/** Publishes an image, its own tests included, which run in `podman`. */
export const publishNix = async (
  podman: Podman,
  name: string,
  to: string,
  ...more: readonly string[]
): Promise<Tried> => cliData(['publish', ...(await nixImage(name)), '--to', to, ...more], { env: podman.env });

/** Fails with what podman said unless it succeeded; gives what it printed. */
export async function podmanSays(podman: Podman, args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await podman.run(args);
  if (exitCode !== 0) throw new Error(`podman ${args.join(' ')} ended with ${exitCode}: ${stdout}${stderr}`);
  return stdout.trim();
}

/**
 * Pulls an image for a platform out of a layout in `folder`, `NAME:TAG`, and gives its id. By a relative path, because podman
 * makes the image's name of it and temporary folders have capitals.
 */
export async function pull(podman: Podman, folder: string, image: string, platform = 'linux/amd64'): Promise<string> {
  const args = ['pull', '--quiet', '--platform', platform, `oci:${image}`];
  const { exitCode, stdout, stderr } = await runProgram('podman', args, { cwd: folder, env: podman.env });
  if (exitCode !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** A container that runs until it is removed. */
export interface Container {
  readonly id: string;
  /** Runs a script of bash in it, with options of `podman exec`; fails with what it said when it fails. Gives its output. */
  script(text: string, options?: readonly string[]): Promise<string>;
  /** The same, however it ends. */
  tryScript(text: string, options?: readonly string[]): Promise<ProgramResult>;
  /** What the container has printed so far. */
  logs(): Promise<string>;
  remove(): Promise<void>;
}

/** Starts a container in the background; `args` are options of `podman run`, the image and its arguments. */
export async function startContainer(podman: Podman, ...args: readonly string[]): Promise<Container> {
  const id = await podmanSays(podman, ['run', '--detach', ...args]);
  const exec = (text: string, options: readonly string[]): string[] => [
    ...['exec', ...options, id, 'bash', '-euo', 'pipefail', '-c', text],
  ];
  return {
    id,
    script: (text, options = []) => podmanSays(podman, exec(text, options)),
    tryScript: (text, options = []) => podman.run(exec(text, options)),
    logs: async () => {
      const { stdout, stderr } = await podman.run(['logs', id]);
      return stdout + stderr;
    },
    remove: async () => {
      await podman.run(['rm', '--force', '--time', '0', id]);
    },
  };
}
