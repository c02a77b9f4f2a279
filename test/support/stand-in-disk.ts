import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import type { z } from 'zod';
import { type DiskDefinition, diskDefinitionSchema } from '../../src/definition/disk-definition.ts';
import type { System } from '../../src/oci/system.ts';
import { debianPackages } from '../fixtures/debian/generate.ts';
import { withLock } from '../fixtures/debian/lock.ts';
import { TEST_NIX_CONFIG } from './nix.ts';
import { type ProgramResult, runProgram } from './tools.ts';

/** Debian 13 is the oldest release that has ukify as a package of its own. */
const SUITE = 'trixie';

const TOOL_PACKAGES = ['mtools', 'dosfstools', 'e2fsprogs', 'systemd-ukify', 'patchelf'];

const BOOT_PACKAGES: Readonly<Record<System, readonly string[]>> = {
  'x86_64-linux': ['linux-image-cloud-amd64', 'systemd-boot-efi'],
  'aarch64-linux': ['linux-image-cloud-arm64', 'systemd-boot-efi'],
};

const FIXTURE = join(import.meta.dirname, '../fixtures/disk');
const MK_DISK = join(import.meta.dirname, '../../nix/lib');

export interface StandInOptions {
  /** The system that boots. Default: x86_64-linux, which is built and booted quickest on most machines. */
  readonly system?: System;
  /** Debian packages whose closure is in the store too. Default: coreutils, 10 paths and 50 MB. */
  readonly contents?: readonly string[];
  /** Another value gives another first process, and nothing else. */
  readonly revision?: string;
  /** Builds this Debian package anew with the revision, and so everything that needs it. */
  readonly rebuilt?: string;
  /** Guards the store by dm-verity, which the initrd activates with veritysetup. Default: false. */
  readonly verity?: boolean;
  readonly log?: (line: string) => void;
}

export interface StandInDisk {
  /** As mkDisk evaluates to it; tests change fields before they parse it. */
  readonly input: z.input<typeof diskDefinitionSchema>;
  readonly definition: DiskDefinition;
  /** systemd-boot for the system, where a test wants a boot loader with entries. */
  readonly systemdBoot: string;
  /** Programs that look at what was made, of the same releases as those that made it. */
  readonly checks: { readonly fsckVfat: string; readonly e2fsck: string };
  /** The Nix file that evaluates to `{ definition, … }`, and the words with which it does. */
  readonly nix: { readonly file: string; readonly args: readonly string[] };
}

/** What is kept between runs. */
interface Kept {
  readonly input: StandInDisk['input'];
  readonly systemdBoot: string;
  readonly checks: StandInDisk['checks'];
}

/** What definition.nix evaluates to. */
interface Evaluated extends Omit<Kept, 'input'> {
  readonly definition: Omit<Kept['input'], 'roots'> & {
    readonly roots: readonly (readonly [drvPath: string, outPath: string])[];
  };
}

/**
 * A definition of a disk that boots, made of Debian packages without nixpkgs: everything that it names is in the Nix store and
 * kept from garbage collection. The first call on a machine fetches 60 MB and takes half a minute; what it made is kept in the
 * user's cache directory (`nix-images/disk`), and the next calls take milliseconds. test/fixtures/disk/README.md says
 * what the disk shows when it boots. Throws where apt or Nix cannot give it.
 */
export async function standInDisk({
  system = 'x86_64-linux',
  contents = ['coreutils'],
  revision = '0',
  rebuilt = '',
  verity = false,
  log,
}: StandInOptions = {}): Promise<StandInDisk> {
  const nativeSystem: System = process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux';
  const fetched = { suite: SUITE, ...(log === undefined ? {} : { log }) };
  const toolPackages = await debianPackages({ ...fetched, systems: [nativeSystem], packages: TOOL_PACKAGES });
  const wanted = [...BOOT_PACKAGES[system], ...(verity ? ['cryptsetup-bin'] : []), ...contents];
  const packages = await debianPackages({ ...fetched, systems: [system], packages: wanted });
  const words = {
    packages,
    toolPackages,
    system,
    nativeSystem,
    contents: contents.join(' '),
    revision,
    rebuilt,
    verity: verity ? '1' : '',
  };
  const args = Object.entries(words).flatMap(([name, value]) => ['--argstr', name, value]);
  const file = join(FIXTURE, 'definition.nix');
  const kept = await keptOr(args, () => make(file, args));
  return { ...kept, definition: diskDefinitionSchema.parse(kept.input), nix: { file, args } };
}

/** What was made for these words by these files before, or what `work` makes now. */
async function keptOr(args: readonly string[], work: () => Promise<Kept>): Promise<Kept> {
  const folder = cacheFolder();
  await mkdir(folder, { recursive: true });
  const hash = createHash('sha256').update(JSON.stringify(args));
  // What mkDisk says of a system may change too.
  for (const at of [FIXTURE, MK_DISK])
    for (const name of (await readdir(at)).sort()) hash.update(`${name}\0`).update(await readFile(join(at, name)));
  const file = join(folder, `${hash.digest('hex').slice(0, 16)}.json`);
  return (
    (await readKept(file)) ??
    withLock(join(folder, 'lock'), async () => (await readKept(file)) ?? save(file, await work()))
  );
}

async function readKept(file: string): Promise<Kept | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const kept = JSON.parse(text) as Kept;
  // Somebody may have removed the store since.
  const paths = kept.input.roots.map(({ outPath }) => outPath);
  const { exitCode } = await nix('nix-store', ['--check-validity', ...paths]);
  return exitCode === 0 ? kept : undefined;
}

async function save(file: string, kept: Kept): Promise<Kept> {
  await writeFile(`${file}.draft`, JSON.stringify(kept));
  await rename(`${file}.draft`, file);
  return kept;
}

async function make(file: string, args: readonly string[]): Promise<Kept> {
  const evaluated = await orThrow(
    nix('nix-instantiate', ['--eval', '--read-write-mode', '--strict', '--json', file, ...args]),
  );
  const { definition, systemdBoot, checks } = JSON.parse(evaluated) as Evaluated;
  const roots = definition.roots.map(([drvPath, outPath]) => ({ drvPath, output: 'out', outPath }));
  for (const { drvPath, outPath } of roots) {
    const link = join(cacheFolder(), 'roots', basename(outPath));
    await orThrow(nix('nix-store', ['--realise', drvPath, '--add-root', link, '--indirect']));
  }
  return { input: { ...definition, roots }, systemdBoot, checks };
}

const cacheFolder = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nix-images/disk');

const nix = (program: string, args: readonly string[]): Promise<ProgramResult> =>
  runProgram(program, args, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });

async function orThrow(result: Promise<ProgramResult>): Promise<string> {
  const { exitCode, stdout, stderr } = await result;
  if (exitCode !== 0) throw new Error(`the stand-in disk cannot be made: ${stderr}`);
  return stdout;
}
