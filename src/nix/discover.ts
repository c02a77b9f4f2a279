import { mapParallel } from '../io/parallel.ts';
import { parseAnswer } from './answer.ts';
import {
  childrenExpression,
  type DiscoveryOptions,
  type Entry,
  entriesExpression,
  entriesSchema,
  filePlaces,
  flakePlaces,
  type Place,
  pathsSchema,
} from './discovery-expression.ts';
import { evaluationFailure, nixMessage } from './failure.ts';
import { attributeText } from './installable.ts';
import type { Nix } from './nix.ts';
import { functionArguments } from './probe.ts';
import { wholeFlake } from './version.ts';

/** What is searched for images: a flake, or a file and an attribute path in it. */
export type Source =
  | { readonly kind: 'flake'; readonly flake: string }
  | { readonly kind: 'file'; readonly file: string; readonly path: readonly string[] };

/** A place that could not be evaluated, with nix's own words. */
export interface Broken {
  readonly kind: 'broken';
  readonly path: readonly string[];
  readonly system: string | null;
  readonly message: string;
}

export type Discovered = Exclude<Entry, { kind: 'throws' }> | Broken;

export interface DiscoverOptions {
  readonly systems: readonly string[];
  /** Names of `config.system.build.images` to look for in the flake's `nixosConfigurations`. */
  readonly variants: readonly string[];
}

/** Evaluations at once where one did not do: each takes a core and, with nixpkgs, several hundred megabytes. */
const AT_ONCE = 4;

/** Places in one evaluation at most where one did not do: they stand in its arguments, which are limited to 128 KiB. */
const PLACES_AT_ONCE = 250;

/** Messages of `throw` that are asked for, an evaluation each; of more, only the place is told. */
const MESSAGES = 32;

const THROWS = 'throws an error';

// Derivations that must be built before the evaluation can go on would make a plan of a build.
const FLAGS = ['--option', 'eval-cache', 'false', '--option', 'allow-import-from-derivation', 'false'];

type Answer = { readonly ok: true; readonly stdout: string } | { readonly ok: false; readonly stderr: string };

const sourceText = (source: Source): string => (source.kind === 'flake' ? source.flake : `--file ${source.file}`);

/** One evaluation over the whole flake or file; a failure is a result. */
const apply = async (nix: Nix, source: Source, expression: string): Promise<Answer> => {
  const where =
    source.kind === 'flake'
      ? ['--no-write-lock-file', ...nix.nixArgs, ...wholeFlake(nix.version, source.flake)]
      : [...nix.nixArgs, '--file', source.file, ''];
  const args = ['eval', '--json', ...FLAGS, '--apply', expression, ...where];
  const result = await nix.command(args, { onStderrLine: (line) => nix.log.debug(line) });
  return result.exitCode === 0 ? { ok: true, stdout: result.stdout } : { ok: false, stderr: result.stderr };
};

const broken = ({ path, system }: Place, message: string): Broken => ({ kind: 'broken', path, system, message });

const halves = (places: readonly Place[]): (readonly Place[])[] => {
  const size = Math.min(Math.ceil(places.length / 2), PLACES_AT_ONCE);
  return Array.from({ length: Math.ceil(places.length / size) }, (_, at) => places.slice(at * size, (at + 1) * size));
};

/** What a batch of places gave, or the smaller ones to try in its stead. */
interface Step {
  readonly found: readonly (Entry | Broken)[];
  readonly more: readonly (readonly Place[])[];
}

/**
 * All that looks like an image, found by one evaluation. Where that dies (`throw` is caught, other errors are not), the
 * places are halved until the broken ones are alone, several evaluations at once: these come back with nix's message, and
 * the rest goes on. Throws UserError `evaluation` when flake or file itself does not evaluate. Builds nothing.
 */
export const discover = async (nix: Nix, source: Source, given: DiscoverOptions): Promise<readonly Discovered[]> => {
  const options: DiscoveryOptions = {
    ...given,
    base: source.kind === 'file' ? source.path : undefined,
    given: functionArguments(nix.nixArgs),
    caught: true,
  };
  const places = source.kind === 'flake' ? flakePlaces(given.variants) : filePlaces(source.path, given.systems);
  const entries = await explore(nix, source, places, options);
  return withMessages(nix, source, entries, options);
};

async function explore(
  nix: Nix,
  source: Source,
  places: readonly Place[],
  options: DiscoveryOptions,
): Promise<(Entry | Broken)[]> {
  const what = sourceText(source);
  const whole = await apply(nix, source, entriesExpression(places, options));
  if (whole.ok) return parseAnswer(what, whole.stdout, entriesSchema);
  const outputs = await apply(nix, source, 'top: builtins.isAttrs top');
  if (!outputs.ok) throw evaluationFailure(what, outputs.stderr);
  nix.log.info(`evaluating ${what} at once failed (${nixMessage(whole.stderr).split('\n')[0]}); looking for the place`);
  const found: (Entry | Broken)[] = [];
  for (let batches = halves(places); batches.length > 0; ) {
    const steps = await mapParallel(batches, AT_ONCE, (batch) => exploreBatch(nix, source, batch, options));
    found.push(...steps.flatMap((step) => step.found));
    batches = steps.flatMap((step) => step.more);
  }
  return found;
}

async function exploreBatch(
  nix: Nix,
  source: Source,
  places: readonly Place[],
  options: DiscoveryOptions,
): Promise<Step> {
  const answer = await apply(nix, source, entriesExpression(places, options));
  if (answer.ok) return { found: parseAnswer(sourceText(source), answer.stdout, entriesSchema), more: [] };
  const [place, ...others] = places;
  if (place === undefined || others.length > 0) return { found: [], more: halves(places) };
  const children = await apply(nix, source, childrenExpression(place, options));
  if (!children.ok) return { found: [broken(place, nixMessage(children.stderr))], more: [] };
  const paths = parseAnswer(sourceText(source), children.stdout, pathsSchema);
  if (paths.length === 0) return { found: [broken(place, nixMessage(answer.stderr))], more: [] };
  return { found: [], more: halves(paths.map((path) => ({ path, system: place.system }))) };
}

/** What `throw` said is lost when it is caught, so these places are evaluated once more, each alone. */
async function withMessages(
  nix: Nix,
  source: Source,
  entries: readonly (Entry | Broken)[],
  options: DiscoveryOptions,
): Promise<Discovered[]> {
  const thrown = entries.filter((entry) => entry.kind === 'throws').slice(0, MESSAGES);
  const said = await mapParallel(thrown, AT_ONCE, async (place) => {
    const answer = await apply(nix, source, entriesExpression([place], { ...options, caught: false }));
    return [place, answer.ok ? THROWS : nixMessage(answer.stderr)] as const;
  });
  const messages = new Map<Entry | Broken, string>(said);
  return entries.map((entry) => (entry.kind === 'throws' ? broken(entry, messages.get(entry) ?? THROWS) : entry));
}

/** The attribute of a place, as a person writes it. */
export const placeText = ({ path }: Pick<Place, 'path'>): string => attributeText(path) || 'the value of the file';
