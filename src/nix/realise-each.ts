import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Root } from '../definition/definition.ts';
import { chunks } from './chunks.ts';
import { validPaths } from './closure.ts';
import type { Nix } from './nix.ts';
import { realise, realiseTogether, realisingError } from './realise.ts';

/** What is to be made valid for one image. */
type Group = readonly Root[];

interface EachOptions {
  readonly gcRootDir: string;
  /** Paths that were valid a moment ago. */
  readonly valid: ReadonlySet<string>;
}

/**
 * Makes the roots of several groups valid, as `realise` does, all by one process of Nix; one that does not build leaves those that do not need it. Gives
 * for each group why it is not there, or undefined. Throws UserError `cancelled`.
 */
export async function realiseEach(
  nix: Nix,
  groups: readonly Group[],
  { gcRootDir, valid }: EachOptions,
): Promise<readonly (UserError | undefined)[]> {
  const folder = (): Promise<string> => mkdtemp(join(gcRootDir, 'built-'));
  const alone = async (roots: Group): Promise<UserError | undefined> =>
    failureOf(async () => realise(nix, roots, { gcRootDir: await folder(), valid }));
  if (groups.length < 2) return Promise.all(groups.map(alone));
  const said = await realiseTogether(nix, groups.flat(), { gcRootDir: await folder(), valid });
  const now = await validPaths(nix, [...new Set(groups.flat().map(({ outPath }) => outPath))]);
  const failures: (UserError | undefined)[] = [];
  for (const roots of groups) {
    const isThere = roots.every(({ outPath }) => now.has(outPath));
    // Where Nix does not say why, it may have given up because of another: it is asked once more for these alone.
    const cause = isThere || said === undefined ? undefined : await causeFor(nix, roots, said);
    failures.push(isThere ? undefined : (cause ?? (await alone(roots))));
  }
  return failures;
}

async function failureOf(work: () => Promise<void>): Promise<UserError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof UserError && error.code !== 'cancelled') return error;
    throw error;
  }
}

/** The failure, among those that Nix told, of a derivation that these roots are built from; undefined where there is none. */
async function causeFor(nix: Nix, roots: Group, said: string): Promise<UserError | undefined> {
  const needed = await requisites(
    nix,
    roots.flatMap(({ drvPath }) => drvPath ?? []),
  );
  const own = errorsIn(said).find(
    (text) => !IS_CONSEQUENCE.test(text) && drvPathsIn(text).some((drv) => needed.has(drv)),
  );
  return own === undefined ? undefined : realisingError(nix, own);
}

/** Of a derivation that another one needs. */
const IS_CONSEQUENCE = /\d+ dependenc(?:y|ies)\b/;

const drvPathsIn = (text: string): readonly string[] => text.match(/\/nix\/store\/[0-9a-z]{32}-[^'\s!]+\.drv/g) ?? [];

/** What Nix said, error by error: each goes on until the next line that begins with the word, for lines of builders begin with a name. */
const errorsIn = (said: string): readonly string[] =>
  said.split(/^(?=error: )/m).filter((text) => text.startsWith('error: '));

/** Derivations, and all that they are built from; none where Nix cannot say. */
async function requisites(nix: Nix, drvPaths: readonly string[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const chunk of chunks([...new Set(drvPaths)])) {
    const result = await nix.store(['--query', '--requisites', ...chunk]);
    if (result.exitCode !== 0) return new Set();
    for (const line of result.stdout.split('\n')) if (line.endsWith('.drv')) found.add(line);
  }
  return found;
}
