import { UserError } from '../core/error.ts';
import type { Closure, StorePathInfo } from '../definition/closure.ts';
import { chunks } from './chunks.ts';
import { nixMessage } from './failure.ts';
import type { Nix } from './nix.ts';
import { parsePathInfo } from './path-info.ts';
import { type Substituter, withoutSecrets } from './settings.ts';
import { pathInfoFlags } from './version.ts';

export interface ReadClosure {
  readonly closure: Closure;
  /** Of the paths asked for, those that are neither here nor at a substituter that is believed; they are in no closure. */
  readonly missing: readonly string[];
  /** The paths of it that Nix's own store has. */
  readonly valid: ReadonlySet<string>;
  /** URL of the store or substituter to read it from, for each path that cannot be read at its own place on this machine. */
  readonly caches: ReadonlyMap<string, string>;
}

const UNTRUSTED = /path '([^']+)' is untrusted/g;

type Infos = ReadonlyMap<string, StorePathInfo | null>;

// Without this, asking a store about a path that it does not have would ask every substituter as well, to no end.
const LOCAL_ANSWER = ['--option', 'substitute', 'false'];

/** Asks a store, given as flags, about paths. Default: Nix's own. Throws UserError `evaluation`. */
export async function pathInfo(nix: Nix, paths: readonly string[], flags: readonly string[]): Promise<Infos> {
  const found = new Map<string, StorePathInfo | null>();
  for (const chunk of chunks(paths)) {
    const args = ['path-info', '--json', ...pathInfoFlags(nix.version), ...LOCAL_ANSWER, ...flags, ...chunk];
    const result = await nix.command(args);
    if (result.exitCode !== 0) throw new UserError('evaluation', `nix path-info: ${nixMessage(result.stderr)}`);
    for (const [path, info] of parsePathInfo(result.stdout)) found.set(path, info);
  }
  return found;
}

/** Those of `paths` that are valid in a store, given as flags. Default: in Nix's own. */
export async function validPaths(
  nix: Nix,
  paths: readonly string[],
  flags: readonly string[] = [],
): Promise<ReadonlySet<string>> {
  const valid = new Set(paths);
  for (const chunk of chunks(paths)) {
    const result = await nix.store([...flags, '--check-validity', '--print-invalid', ...chunk]);
    if (result.exitCode !== 0) throw new UserError('evaluation', `the store: ${nixMessage(result.stderr)}`);
    for (const line of result.stdout.split('\n')) valid.delete(line);
  }
  return valid;
}

/** Those of `paths` that carry a signature nix believes, or whose content proves them (content-addressed ones). */
async function believed(nix: Nix, url: string, paths: readonly string[]): Promise<ReadonlySet<string>> {
  const good = new Set(paths);
  for (const chunk of chunks(paths)) {
    const result = await nix.command(['store', 'verify', '--store', url, '--no-contents', ...chunk]);
    if (result.exitCode === 0) continue;
    const bad = [...result.stderr.matchAll(UNTRUSTED)].map((match) => match[1] ?? '');
    // Failed without naming a path: nothing of this round is believed.
    for (const path of bad.length > 0 ? bad : chunk) good.delete(path);
  }
  return good;
}

/** What one substituter knows and may be believed about `paths`, and where it has all of it about their closure. */
async function askSubstituter(
  nix: Nix,
  { url, trusted }: Substituter,
  paths: readonly string[],
): Promise<readonly StorePathInfo[]> {
  const flags = ['--store', url];
  const infos = await pathInfo(nix, paths, flags);
  const here = paths.filter((path) => infos.get(path));
  if (here.length === 0) return [];
  // Many caches hold whole closures; those that leave out what others have answer only for the paths themselves.
  const closures = await pathInfo(nix, here, [...flags, '--recursive']).catch(() => infos);
  const known = [...closures.values()].filter((info) => info !== null);
  if (trusted) return known;
  const good = await believed(
    nix,
    url,
    known.map(({ path }) => path),
  );
  const doubted = known.filter(({ path }) => !good.has(path));
  for (const { path } of doubted)
    nix.log.warn(`${path} has no trusted signature at ${withoutSecrets(url)}; not believed`);
  return known.filter(({ path }) => good.has(path));
}

interface Answer {
  readonly info: StorePathInfo;
  /** URL of the substituter that gave it. */
  readonly url: string;
}

/** Looks `paths` up at all substituters in turn. One that does not answer is skipped with a warning. */
async function askSubstituters(
  nix: Nix,
  substituters: readonly Substituter[],
  paths: readonly string[],
): Promise<readonly Answer[]> {
  const found: Answer[] = [];
  let open = paths;
  for (const substituter of substituters) {
    if (open.length === 0) break;
    try {
      const infos = await askSubstituter(nix, substituter, open);
      found.push(...infos.map((info) => ({ info, url: substituter.url })));
    } catch (error) {
      if (error instanceof UserError && error.code === 'cancelled') throw error;
      nix.log.warn(`substituter ${withoutSecrets(substituter.url)} is skipped: ${(error as Error).message}`);
    }
    const known = new Set(found.map(({ info }) => info.path));
    open = open.filter((path) => !known.has(path));
  }
  return found;
}

const closuresHere = (nix: Nix, paths: readonly string[]): Promise<Infos> => pathInfo(nix, paths, ['--recursive']);

/** The closures of those of `paths` that are valid in Nix's own store; most often all are, and one call tells it. */
async function askHere(nix: Nix, paths: readonly string[]): Promise<Infos> {
  try {
    return await closuresHere(nix, paths);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'evaluation') throw error;
    const valid = await validPaths(nix, paths);
    if (valid.size === paths.length) throw error;
    return closuresHere(nix, [...valid]);
  }
}

/** Adds the closures of those of `paths` that are valid in Nix's own store. */
async function addLocal(nix: Nix, known: Map<string, StorePathInfo>, paths: readonly string[]): Promise<void> {
  for (const info of (await askHere(nix, paths)).values()) if (info !== null) known.set(info.path, info);
}

/** References of known paths that are themselves not known. */
function openReferences(known: ReadonlyMap<string, StorePathInfo>): readonly string[] {
  const open = new Set([...known.values()].flatMap(({ references }) => references));
  return [...open].filter((path) => !known.has(path));
}

/** What of `known` can be reached from `root`; undefined when something on the way is not known. */
function closureOf(known: ReadonlyMap<string, StorePathInfo>, root: string): ReadonlySet<string> | undefined {
  const reached = new Set([root]);
  // A set yields what is added while it is walked.
  for (const path of reached) {
    const info = known.get(path);
    if (info === undefined) return undefined;
    for (const reference of info.references) reached.add(reference);
  }
  return reached;
}

/**
 * The closure of `outPaths`: from Nix's own store where they are valid, otherwise from the substituters, whose
 * signatures are checked. Nothing is built or fetched. A path whose closure is not whole counts as missing.
 * Throws UserError `evaluation` when nix fails, never because a substituter does.
 */
export async function readClosure(nix: Nix, outPaths: readonly string[]): Promise<ReadClosure> {
  const [closure] = await readClosures(nix, [outPaths]);
  if (closure) return closure;
  throw new RangeError('a closure was asked for');
}

/**
 * The same for each group of paths, with the questions of one. What is valid and which caches are named is told of all of them alike.
 */
export async function readClosures(nix: Nix, groups: readonly (readonly string[])[]): Promise<readonly ReadClosure[]> {
  const known = new Map<string, StorePathInfo>();
  const caches = new Map<string, string>();
  // Answered while the store is asked for paths; a failure is thrown where the answer is used.
  const settings = nix.storeSettings();
  settings.catch(() => undefined);
  const asked = new Set<string>();
  let open: readonly string[] = [...new Set(groups.flat())];
  while (open.length > 0) {
    for (const path of open) asked.add(path);
    await addLocal(nix, known, open);
    const unknown = open.filter((path) => !known.has(path));
    if (unknown.length > 0) {
      const answers = await askSubstituters(nix, (await settings).substituters, unknown);
      // A substituter's closure has more than was asked for. Of what the store has of it, the store's word counts.
      const more = answers.map(({ info }) => info.path).filter((path) => !asked.has(path) && !known.has(path));
      await addLocal(nix, known, more);
      for (const { info, url } of answers) {
        if (known.has(info.path)) continue;
        known.set(info.path, info);
        caches.set(info.path, url);
      }
    }
    open = openReferences(known).filter((path) => !asked.has(path));
  }
  const valid = new Set([...known.keys()].filter((path) => !caches.has(path)));
  const { elsewhere } = await settings;
  if (elsewhere !== undefined) for (const path of known.keys()) if (!caches.has(path)) caches.set(path, elsewhere);
  return groups.map((outPaths) => ({ ...assemble(known, outPaths), valid, caches }));
}

function assemble(
  known: ReadonlyMap<string, StorePathInfo>,
  outPaths: readonly string[],
): Pick<ReadClosure, 'closure' | 'missing'> {
  const whole = new Set<string>();
  const missing: string[] = [];
  for (const root of new Set(outPaths)) {
    const reached = closureOf(known, root);
    if (reached === undefined) missing.push(root);
    for (const path of reached ?? []) whole.add(path);
  }
  const closure = [...known.values()].filter(({ path }) => whole.has(path));
  return { closure: closure.sort((a, b) => (a.path < b.path ? -1 : 1)), missing };
}
