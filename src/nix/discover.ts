import { randomUUID } from 'node:crypto';
import { mapParallel } from '../core/parallel.ts';
import { SYSTEMS } from '../oci/system.ts';
import { parseAnswer } from './answer.ts';
import {
  type DiscoveryOptions,
  type Entry,
  entriesExpression,
  entriesSchema,
  filePlaces,
  flakePlaces,
  type Place,
} from './discovery-expression.ts';
import { evaluationFailure, nixMessage } from './failure.ts';
import { AT_ONCE, type Broken, type EvaluatePlaces, exploreAround } from './find-culprits.ts';
import { attributeText } from './installable.ts';
import { lockFlags, logLine } from './lock-file.ts';
import type { Nix } from './nix.ts';
import { functionArguments } from './probe.ts';
import { MIXED_OUTPUTS } from './recognise.ts';
import { evalCommand, wholeFlake } from './version.ts';

/** What is searched for images: a flake, or a file and an attribute path in it. */
export type Source =
  | { readonly kind: 'flake'; readonly flake: string }
  | { readonly kind: 'file'; readonly file: string; readonly path: readonly string[] };

export type Discovered = Exclude<Entry, { kind: 'throws' }> | Broken;

export interface DiscoverOptions {
  readonly systems: readonly string[];
  /** Names of `config.system.build.images` to look for in the flake's `nixosConfigurations`. */
  readonly variants: readonly string[];
}

/** Messages of `throw` that are asked for, an evaluation each; of more, only the place is told. */
const MESSAGES = 16;

const THROWS = 'throws an error';

type Answer = { readonly ok: true; readonly stdout: string } | { readonly ok: false; readonly stderr: string };

const sourceWords = (source: Source): string[] => (source.kind === 'flake' ? [source.flake] : ['--file', source.file]);

const sourceText = (source: Source): string => sourceWords(source).join(' ');

interface Search {
  readonly nix: Nix;
  readonly source: Source;
  readonly options: DiscoveryOptions;
}

/** One evaluation over the whole flake or file; a failure is a result. */
async function apply(
  { nix, source }: Search,
  expression: string,
  onStderrLine = (line: string): void => logLine(line, nix.log),
): Promise<Answer> {
  const where =
    source.kind === 'flake'
      ? [...lockFlags(nix.nixArgs), ...nix.nixArgs, ...wholeFlake(nix.version, source.flake)]
      : [...nix.nixArgs, '--file', source.file, ''];
  const args = [...evalCommand(nix.version), '--apply', expression, ...where];
  const result = await nix.command(args, { onStderrLine });
  return result.exitCode === 0 ? { ok: true, stdout: result.stdout } : { ok: false, stderr: result.stderr };
}

/**
 * All that looks like an image, found by one evaluation. Where that dies (`throw` is caught, other errors are not), the
 * broken places come back with nix's message, and the rest goes on; see `exploreAround`. Throws UserError `evaluation`
 * when flake or file itself does not evaluate. Builds nothing that Nix is not allowed to import.
 */
export async function discover(
  nix: Nix,
  source: Source,
  { systems, variants }: DiscoverOptions,
): Promise<readonly Discovered[]> {
  const isFlake = source.kind === 'flake';
  const search: Search = {
    nix,
    source,
    options: {
      // A cross-compiled image is listed under the system that it is built on.
      systems: isFlake ? SYSTEMS : systems,
      variants,
      base: isFlake ? undefined : source.path,
      given: functionArguments(nix.nixArgs),
      caught: true,
    },
  };
  const places = isFlake ? flakePlaces(variants) : filePlaces(source.path, systems);
  const whole = await apply(search, entriesExpression(places, search.options));
  const entries = whole.ok
    ? parseAnswer(sourceText(source), whole.stdout, entriesSchema)
    : await exploreWithMarks(search, places, whole.stderr);
  return withMessages(search, entries, systems);
}

function exploreWithMarks(search: Search, places: readonly Place[], stderr: string): Promise<(Entry | Broken)[]> {
  const { nix, source, options } = search;
  const what = sourceText(source);
  nix.log.info(`evaluating ${what} at once failed (${nixMessage(stderr).split('\n')[0]}); looking for the cause`);
  // Nobody who is evaluated can know it.
  const marker = `nix-images:${randomUUID()}:`;
  const evaluate: EvaluatePlaces = async (some) => {
    const marks: string[] = [];
    const answer = await apply(search, entriesExpression(some, { ...options, marker }), (line) => {
      const at = line.indexOf(marker);
      if (at >= 0) marks.push(line.slice(at + marker.length));
      else nix.log.debug(line);
    });
    if (!answer.ok) return { ...answer, marks };
    return { ok: true, entries: parseAnswer(what, answer.stdout, entriesSchema) };
  };
  return exploreAround(places, evaluate, (said) => evaluationFailure(what, said, sourceWords(source)));
}

/** What `throw` said is lost when it is caught, so these places are evaluated once more, each alone: images first. */
async function withMessages(
  search: Search,
  entries: readonly (Entry | Broken)[],
  wanted: readonly string[],
): Promise<Discovered[]> {
  const known = entries.map((entry) =>
    'image' in entry && entry.image === false ? { ...entry, image: standsAmongImages(search.source, entry) } : entry,
  );
  const thrown = known.filter((entry) => entry.kind === 'throws').filter((place) => isWanted(place, wanted));
  const inOrder = [...thrown].sort((a, b) => Number(b.image) - Number(a.image)).slice(0, MESSAGES);
  const said = await mapParallel(inOrder, AT_ONCE, async (place) => {
    const answer = await apply(search, entriesExpression([place], { ...search.options, caught: false }));
    return [place, answer.ok ? THROWS : nixMessage(answer.stderr)] as const;
  });
  const messages = new Map<Entry | Broken, string>(said);
  return known.map((entry) =>
    entry.kind === 'throws' ? { ...entry, kind: 'broken', message: messages.get(entry) ?? THROWS } : entry,
  );
}

/** Packages fail to evaluate for many a reason that concerns no image; in an output of images it is news. */
const standsAmongImages = ({ kind }: Source, { path }: Pick<Place, 'path'>): boolean =>
  kind === 'file' || path.length < 3 || !(MIXED_OUTPUTS as readonly string[]).includes(path[0] ?? '');

/** Whether a place is not one of a system that nobody asked for. */
const isWanted = ({ path, system }: Place, wanted: readonly string[]): boolean =>
  !SYSTEMS.some((other) => !wanted.includes(other) && (system === other || path[1] === other));

/** The attribute of a place, as a person writes it. */
export const placeText = ({ path }: Pick<Place, 'path'>): string => attributeText(path) || 'the value of the file';
