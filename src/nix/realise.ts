import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Root } from '../definition/definition.ts';
import { buildError, parseBuildFailure } from './build-failure.ts';
import { startedBuild } from './build-starts.ts';
import { chunks } from './chunks.ts';
import { validPaths } from './closure.ts';
import { copyEvaluated, copyHere } from './copy-here.ts';
import { type Nix, storeFlags } from './nix.ts';
import { OWN_STORE } from './settings.ts';

/** Lines of a failed builder's log that are shown. */
const LOG_LINES = 25;

interface RealiseOptions {
  /** Folder that gets links to what was realised, as roots of the garbage collector; see `withGcRoots`. */
  readonly gcRootDir: string;
  /** Paths that were valid a moment ago. Default: Nix is asked. */
  readonly valid?: ReadonlySet<string> | undefined;
}

/** A valid path needs no derivation, which may have been collected since. */
const argumentOf = ({ drvPath, output, outPath }: Root, valid: ReadonlySet<string>): string =>
  drvPath === null || output === null || valid.has(outPath) ? outPath : `${drvPath}!${output}`;

/** @internal Without what builders tell Nix alone (`@nix {"action":"setPhase",…}`), which versions before 2.20 keep in the log. */
export const withoutActions = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !/^@nix \{/.test(line));

/** The end of a builder's log, as nix kept it; empty when it did not. */
async function logOf(nix: Nix, drvPath: string): Promise<readonly string[]> {
  const result = await nix.store(['--read-log', drvPath]);
  if (result.exitCode !== 0) return [];
  return withoutActions(result.stdout.trimEnd().split('\n')).slice(-LOG_LINES);
}

/** The error for what Nix said while it made something, with the end of the builder's log where one failed. */
export async function realisingError(nix: Nix, stderr: string): Promise<UserError> {
  const failure = parseBuildFailure(stderr);
  const log = failure.kind === 'builder' ? await logOf(nix, failure.drvPath) : [];
  return buildError(failure, stderr, log);
}

/** Has Nix make `targets`, with links that begin with `link`; gives what it said where it failed. */
async function tryChunk(
  nix: Nix,
  targets: readonly string[],
  link: string,
  flags: readonly string[],
): Promise<string | undefined> {
  const args = [
    ...flags,
    '--realise',
    ...targets,
    '--add-root',
    link,
    '--indirect',
    '--option',
    'log-lines',
    String(LOG_LINES),
    // Each line begins with the name of what is built, for several builds run at once.
    '--log-format',
    'bar-with-logs',
  ];
  const result = await nix.store(args, {
    onStderrLine: (line) => {
      const drvPath = startedBuild(line);
      if (drvPath !== undefined) nix.onBuild?.(drvPath);
      for (const text of withoutActions([line])) nix.log.info(text);
    },
  });
  return result.exitCode === 0 ? undefined : result.stderr;
}

async function realiseChunk(
  nix: Nix,
  targets: readonly string[],
  link: string,
  flags: readonly string[] = [],
): Promise<void> {
  const said = await tryChunk(nix, targets, link, flags);
  if (said !== undefined) throw await realisingError(nix, said);
}

/** What Nix is asked to make, after what it is made from is where it builds. */
async function targetsOf(nix: Nix, roots: readonly Root[], valid: ReadonlySet<string>): Promise<readonly string[]> {
  const missing = roots.filter(({ outPath }) => !valid.has(outPath));
  await copyEvaluated(
    nix,
    missing.flatMap(({ drvPath }) => drvPath ?? []),
    missing.flatMap(({ drvPath, outPath }) => (drvPath === null ? outPath : [])),
  );
  return [...new Set(roots.map((root) => argumentOf(root, valid)))];
}

/**
 * Makes as many of the roots valid as can be, and keeps them. Gives what Nix said where not all were made. Throws UserError `cancelled`.
 */
export async function realiseTogether(
  nix: Nix,
  roots: readonly Root[],
  { gcRootDir, valid }: { readonly gcRootDir: string; readonly valid: ReadonlySet<string> },
): Promise<string | undefined> {
  const said: string[] = [];
  for (const [at, chunk] of chunks(await targetsOf(nix, roots, valid)).entries())
    said.push((await tryChunk(nix, chunk, join(gcRootDir, `root-${at}`), ['--keep-going'])) ?? '');
  return said.some((one) => one !== '') ? said.join('\n') : undefined;
}

/** Realises the roots that are not valid, and keeps all. */
async function realiseMissing(
  nix: Nix,
  roots: readonly Root[],
  gcRootDir: string,
  valid: ReadonlySet<string>,
): Promise<void> {
  const missing = roots.filter(({ outPath }) => !valid.has(outPath));
  const targets = await targetsOf(nix, roots, valid);
  for (const [at, chunk] of chunks(targets).entries()) await realiseChunk(nix, chunk, join(gcRootDir, `root-${at}`));
  // A path that was realised by its own name is there; a derivation may have made others than the definition names.
  const made = missing.filter(({ drvPath }) => drvPath !== null).map(({ outPath }) => outPath);
  if (made.length === 0) return;
  const now = await validPaths(nix, made);
  const lost = made.find((path) => !now.has(path));
  if (lost === undefined) return;
  throw new UserError('build', `${lost} was not made by the derivations that the definition names for it`, {
    hint: 'List its package in copyToRoot, or name it in a string of its own.',
  });
}

/**
 * Makes every root valid in Nix's store: taken from a substituter or built, and kept from the garbage
 * collector by links in `gcRootDir`. The log of nix goes to `nix.log`. Throws UserError: `build`, `system` (not
 * buildable here), `file` (disk full), `cancelled`.
 */
export async function realise(nix: Nix, roots: readonly Root[], { gcRootDir, valid }: RealiseOptions): Promise<void> {
  const validNow = (): Promise<ReadonlySet<string>> => validPaths(nix, [...new Set(roots.map((root) => root.outPath))]);
  try {
    await realiseMissing(nix, roots, gcRootDir, valid ?? (await validNow()));
  } catch (error) {
    const wereThere = valid && roots.every(({ outPath }) => valid.has(outPath));
    if (!wereThere || !(error instanceof UserError) || error.code !== 'build') throw error;
    // Nothing had to be built, so something was collected meanwhile; what Nix says of the second attempt counts.
    await realiseMissing(nix, roots, gcRootDir, await validNow());
  }
}

/** As `realise`, and what a store elsewhere has is copied, so that it can be read and run on this machine. */
export async function realiseHere(nix: Nix, roots: readonly Root[], options: RealiseOptions): Promise<void> {
  await realise(nix, roots, options);
  const { elsewhere } = await nix.storeSettings();
  if (elsewhere === undefined) return;
  const paths = [...new Set(roots.map(({ outPath }) => outPath))];
  await copyHere(nix, elsewhere, paths);
  for (const [at, chunk] of chunks(paths).entries()) {
    await realiseChunk(nix, chunk, join(options.gcRootDir, `here-${at}`), storeFlags(OWN_STORE));
  }
}

/**
 * Makes the outputs of derivations valid, as `realise` does; where one does not build, the others that do not need it are built all the same.
 * Throws UserError `build`, `system`, `file` and `cancelled` for the first that failed.
 */
export async function realiseDerivations(
  nix: Nix,
  drvPaths: readonly string[],
  { gcRootDir }: Pick<RealiseOptions, 'gcRootDir'>,
): Promise<void> {
  await copyEvaluated(nix, drvPaths, []);
  for (const [at, chunk] of chunks(drvPaths).entries())
    await realiseChunk(nix, chunk, join(gcRootDir, `shared-${at}`), ['--keep-going']);
}
