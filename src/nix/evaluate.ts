import type { UserError } from '../core/error.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { parseAnswer } from './answer.ts';
import { evaluationFailure } from './failure.ts';
import { type Evaluated, type EvaluatedAny, imageOf, isContainerImage, ownSystem } from './found-image.ts';
import { attributeText, type Installable, installableText } from './installable.ts';
import { lockFlags, logLine } from './lock-file.ts';
import type { Nix } from './nix.ts';
import { notAnImage, type Other, type Searched, unknownAttribute } from './not-image.ts';
import { type Found, functionArguments, markedPlace, probeAnswerSchema, probeExpression } from './probe.ts';
import { type ImagePlace, searchPlaces } from './search-places.ts';
import { evalCommand, wholeFlake } from './version.ts';

/** Which systems an evaluation is about. */
interface Asked {
  /** Their images are wanted. */
  readonly systems: readonly System[];
  /** It is only asked whether there is an image for these. */
  readonly others?: readonly System[];
}

/** What one evaluation says of an image. */
export interface Evaluations {
  /** The systems of those asked for that have the image, in the order of `SYSTEMS`; of one that fails it counts as there. */
  readonly systems: readonly System[];
  /** The container image for a system that was asked for. Throws UserError with what is wrong with it, also for a disk. */
  imageFor(system: System): Promise<Evaluated>;
  /** The same for whatever is there: an image or a disk. */
  foundFor(system: System): Promise<EvaluatedAny>;
}

/** What was found at places that were tried one after another; the last one decided, or nothing did. */
type Tried = readonly { readonly place: ImagePlace; readonly found: Found }[];

/** Where the evaluation of one system's image ended, and why. */
interface Death {
  readonly place: ImagePlace;
  readonly error: UserError;
}

type Answer = { readonly tried: Tried } | { readonly death: Death };

type Answers = ReadonlyMap<System, Answer>;

type Run = { readonly found: readonly (readonly Found[])[] } | { readonly at: number; readonly stderr: string };

/** One evaluation of a whole flake or file. Throws UserError `evaluation` where it dies before it looks at any place. */
async function run(nix: Nix, installable: Installable, expression: string): Promise<Run> {
  const args =
    installable.kind === 'flake'
      ? [...lockFlags(nix.nixArgs), ...nix.nixArgs, ...wholeFlake(nix.version, installable.flake)]
      : // The empty path names the file's own value, which the expression walks and calls itself.
        [...nix.nixArgs, '--file', installable.file, ''];
  let at: number | undefined;
  const onStderrLine = (line: string): void => {
    const marked = markedPlace(line);
    if (marked === undefined) logLine(line, nix.log);
    else at = marked;
  };
  const result = await nix.command([...evalCommand(nix.version), '--apply', expression, ...args], { onStderrLine });
  if (result.exitCode === 0) {
    return { found: parseAnswer(installableText(installable), result.stdout, probeAnswerSchema) };
  }
  if (at === undefined) throw evaluationFailure(installableText(installable), result.stderr, evalWords(installable));
  return { at, stderr: result.stderr };
}

const placeWords = (installable: Installable, { path }: Pick<ImagePlace, 'path'>): string[] =>
  installable.kind === 'flake'
    ? [`${installable.flake}#${attributeText(path)}`]
    : ['--file', installable.file, ...(path.length > 0 ? [attributeText(path)] : [])];

/** What `nix eval` takes for an installable. */
const evalWords = (installable: Installable): string[] =>
  installable.kind === 'flake' ? [installableText(installable)] : placeWords(installable, installable);

/** An image, and what is asked of it. */
interface Wanted {
  readonly installable: Installable;
  readonly asked: Asked;
}

/**
 * One evaluation for all images, which are of one flake or file, and all systems. Where one of them ends it, it is told by what Nix said, and the
 * others are evaluated once more without it.
 */
async function evaluateAll(nix: Nix, all: readonly Wanted[]): Promise<readonly Answers[]> {
  const answers = new Map(all.map((wanted) => [wanted, new Map<System, Answer>()]));
  const isAsked = ({ asked: { systems, others } }: Wanted, system: System): boolean =>
    systems.includes(system) || others?.includes(system) === true;
  let open = all.flatMap((wanted) =>
    SYSTEMS.filter((system) => isAsked(wanted, system)).map((system) => ({ wanted, system })),
  );
  for (let [first] = open; first !== undefined; [first] = open) {
    const { installable } = first.wanted;
    const lists = open.map(({ wanted, system }) =>
      searchPlaces(wanted.installable, system, wanted.asked.systems.includes(system)),
    );
    const outcome = await run(nix, installable, probeExpression(lists, functionArguments(nix.nixArgs)));
    if ('found' in outcome) {
      for (const [index, { wanted, system }] of open.entries()) {
        const found = outcome.found[index] ?? [];
        const tried = (lists[index] ?? []).flatMap((place, at) => (found[at] ? [{ place, found: found[at] }] : []));
        answers.get(wanted)?.set(system, { tried });
      }
      break;
    }
    const place = lists.flat()[outcome.at];
    const ended = open.find((_one, at) => place !== undefined && lists[at]?.includes(place));
    if (!place || !ended) throw evaluationFailure(installableText(installable), outcome.stderr, evalWords(installable));
    const words = placeWords(ended.wanted.installable, place);
    const error = evaluationFailure(words.join(' '), outcome.stderr, words);
    answers.get(ended.wanted)?.set(ended.system, { death: { place, error } });
    open = open.filter((one) => one !== ended);
  }
  return all.map((wanted) => answers.get(wanted) ?? new Map());
}

const isImage = ({ found }: Found): boolean =>
  found === 'definition' || found === 'tool-image' || found === 'disk' || found === 'there';

const isOther = (found: Found): found is Exclude<Other, { found: 'disk' }> =>
  !isImage(found) && found.found !== 'nothing';

/** The place that was looked at last. */
const placeOf = (answer: Answer | undefined): ImagePlace | undefined =>
  answer && 'tried' in answer ? answer.tried.at(-1)?.place : undefined;

/** Where something was found that decides: an image, or what is where an image should. */
function foundAt(answer: Answer): ImagePlace | undefined {
  const last = 'tried' in answer ? answer.tried.at(-1) : undefined;
  if (!last) return undefined;
  return isImage(last.found) || (last.place.decides && isOther(last.found)) ? last.place : undefined;
}

/** Whether what was found says itself that it is of another system. */
function isOfAnother(answer: Answer, system: System): boolean {
  const last = 'tried' in answer ? answer.tried.at(-1) : undefined;
  const own = last && !last.place.isOfSystem ? ownSystem(last.found) : null;
  return own !== null && own !== system;
}

/**
 * The first place that has the image for any system decides: one of the same name further on is another image. Where an
 * evaluation died before that, there may have been one, and leaving it out would lose a platform silently.
 */
function systemsIn(answers: Answers): System[] {
  const found = new Map<System, number>();
  for (const [system, answer] of answers) {
    const place = foundAt(answer);
    if (place && !isOfAnother(answer, system)) found.set(system, place.rank);
  }
  const first = Math.min(...found.values());
  return SYSTEMS.filter((system) => {
    const answer = answers.get(system);
    return found.get(system) === first || (answer && 'death' in answer && answer.death.place.rank <= first);
  });
}

/** The error for an image that is not there. */
function notThere(installable: Installable, system: System, tried: Tried, elsewhere: readonly System[]): UserError {
  const what = installableText(installable);
  for (const { place, found } of tried) if (isOther(found)) return notAnImage(what, place.path, found);
  const searched = tried.flatMap(({ place, found }): Searched[] =>
    found.found === 'nothing' && (installable.kind === 'file' || found.depth > 0)
      ? [{ place: place.path, depth: found.depth, names: found.names, isLarge: place.output === 'legacyPackages' }]
      : [],
  );
  if (installable.kind === 'file') return unknownAttribute(what, searched);
  const absent = tried.flatMap(({ place, found }) =>
    found.found === 'nothing' && found.depth === 0 && place.isExpected ? [place.output] : [],
  );
  return unknownAttribute(`${what} for ${system}`, searched, { absent, elsewhere });
}

/** Systems that nothing was asked about, and that have the image. */
async function elsewhereOf(nix: Nix, installable: Installable, answers: Answers): Promise<readonly System[]> {
  if (installable.kind === 'file' || installable.system !== undefined) return [];
  const others = SYSTEMS.filter((system) => !answers.has(system));
  const asked = { systems: [], others };
  const [more] = await evaluateAll(nix, [{ installable, asked }]).catch(() => []);
  return systemsIn(new Map([...answers, ...(more ?? [])]));
}

/**
 * Evaluates the image that `installable` names, for all systems that are asked for by one call of Nix; builds nothing.
 * In a flake `nixImages.<system>.NAME` goes before the same name in the outputs of `SEARCHED_OUTPUTS` that follow, and
 * the name as a path of its own comes last; in a file the attribute is an image or a set of them by system.
 * Throws UserError `evaluation` where the flake or file itself fails. `imageFor` throws `evaluation` (no such attribute, no
 * image, nix failed), `definition` (does not fit the schema, or is of another system) and `input` (a full path to the image
 * of another system).
 */
export async function evaluateImages(nix: Nix, installable: Installable, asked: Asked): Promise<Evaluations> {
  const [evaluations] = await evaluateSeveral(nix, [installable], asked);
  if (evaluations) return evaluations;
  throw new RangeError('an installable was evaluated');
}

/** The same for several images of one flake or file, by one call of Nix; what comes back is in their order. */
export async function evaluateSeveral(
  nix: Nix,
  installables: readonly Installable[],
  asked: Asked,
): Promise<readonly Evaluations[]> {
  const all = installables.map((installable): Wanted => {
    const fixed = installable.kind === 'flake' ? installable.system : undefined;
    return { installable, asked: fixed === undefined ? asked : { ...asked, others: [] } };
  });
  const answers = await evaluateAll(nix, all);
  return all.map(({ installable }, at) => evaluationsOf(nix, installable, answers[at] ?? new Map()));
}

function evaluationsOf(nix: Nix, installable: Installable, answers: Answers): Evaluations {
  const foundFor = async (system: System): Promise<EvaluatedAny> => {
    const answer = answers.get(system) ?? { tried: [] };
    if ('death' in answer) throw answer.death.error;
    const last = answer.tried.at(-1);
    const image = last && (await imageOf(nix, last.place, last.found));
    if (image) return image;
    throw notThere(installable, system, answer.tried, await elsewhereOf(nix, installable, answers));
  };
  const imageFor = async (system: System): Promise<Evaluated> => {
    const image = await foundFor(system);
    if (isContainerImage(image)) return image;
    const path = placeOf(answers.get(system))?.path ?? installable.path;
    throw notAnImage(installableText(installable), path, { found: 'disk', name: image.name });
  };
  return { systems: systemsIn(answers), imageFor, foundFor };
}
