import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { MatrixJob } from '../../../src/plan/matrix.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { runCli } from '../../support/cli.ts';
import { ROOT } from '../../support/root.ts';
import { type ProgramResult, programPath, uniqueTempDir } from '../../support/tools.ts';

const FLAKES = join(ROOT, 'test/fixtures/flakes');

/** A copy of a flake of test/fixtures/flakes, with store paths of its own. */
export interface FlakeCopy {
  readonly path: string;
  /** As it is named on the command line. */
  readonly flake: string;
  /** Writes a file of it. */
  write(name: string, text: string): Promise<void>;
  remove(): Promise<void>;
}

export async function copyFlake(name: string): Promise<FlakeCopy> {
  const folder = await uniqueTempDir(`flake-${name}`);
  const at = (file: string): string => join(folder.path, file);
  const write = (file: string, text: string): Promise<void> => writeFile(at(file), text);
  await copyFile(join(FLAKES, name, 'flake.nix'), at('flake.nix'));
  await copyFile(join(FLAKES, 'packages.nix'), at('packages.nix'));
  await cp(join(ROOT, 'nix'), at('nix'), { recursive: true });
  await mkdir(at('busybox'));
  await copyFile(programPath('busybox'), at('busybox/busybox'));
  await write('salt.nix', JSON.stringify(basename(folder.path)));
  await write('note.nix', '"first"');
  return { path: folder.path, flake: `path:${folder.path}`, write, remove: folder.remove };
}

export const runPlan = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProgramResult> =>
  runCli(['plan', ...args], { env });

/** The plan as data; fails with what the command said when there is none. */
export async function planOf(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Plan> {
  const { exitCode, stdout, stderr } = await runPlan([...args, '--json'], env);
  if (exitCode !== 0) throw new Error(`plan ${args.join(' ')} ended with ${exitCode}:\n${stderr}`);
  return JSON.parse(stdout) as Plan;
}

/** `NAME KIND SYSTEM…`, one for each image. */
export const imagesIn = ({ images }: Plan): string[] =>
  images.map(({ name, jobs }) => [name, jobs[0]?.kind, ...jobs.map(({ system }) => system)].join(' '));

export const publishedIn = ({ images }: Plan): string[] =>
  images.flatMap(({ name, jobs }) => jobs.flatMap((job) => (job.published ? [`${name} ${job.system}`] : [])));

export type Matrix = { readonly include: readonly MatrixJob[] };
