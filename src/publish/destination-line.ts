import { UserError } from '../core/error.ts';
import { didYouMean, nearestNames } from '../core/nearest.ts';
import { type LocationTemplate, parseLocationTemplate, parseRegistryTemplate } from '../storage/location-template.ts';
import { parseTagLine, type TagLine } from './tag-lines.ts';

/** One line of the input `to`: a destination, and what is said of it alone. */
export interface DestinationLine extends LocationTemplate {
  /** The tags to move there, or rules for them, instead of those that count everywhere; none where it says none. */
  readonly tags: readonly TagLine[];
  /** Whether the publish succeeds although this one fails. */
  readonly mayFail: boolean;
  /** All of it; read again it means the same. */
  readonly line: string;
}

const MAY_FAIL = 'may-fail';
const TAG = 'tag=';

/** Blanks between words; one inside `{{ }}` belongs to an expression of a tag rule. */
const BLANKS = /\s+(?![^{]*\}\})/;

/** A word of small letters, alone or before `=`. */
const LIKE_OPTION = /^[a-z][a-z-]*(?:=|$)/;

/**
 * Reads a destination and, behind it, its options: `may-fail`, and `tag=` with a tag or a rule, which may be repeated. Throws
 * UserError `reference` for what is not a destination, `input` for another option, and as `parseTagLine` does.
 */
export const parseDestinationLine = (written: string): DestinationLine => readLine(written, parseLocationTemplate);

/** The same for registries only. */
export const parseRegistryLine = (written: string): DestinationLine => readLine(written, parseRegistryTemplate);

function readLine(written: string, parse: (place: string) => LocationTemplate): DestinationLine {
  const words = written.trim().split(BLANKS);
  const options: string[] = [];
  // From the end: the path of a layout may have blanks in it.
  while (words.length > 1 && isOption(words.at(-1) ?? '')) options.unshift(words.pop() ?? '');
  const place = options.length === 0 ? written : written.trim().slice(0, placeLength(written.trim(), options));
  const [, ...more] = words;
  const unknown = more.at(-1);
  if (unknown !== undefined && isMeantAsOption(unknown, place)) throw unknownOption(written, unknown);
  const template = parse(place);
  const tags = options.filter((option) => option.startsWith(TAG)).map((option) => option.slice(TAG.length));
  if (tags.includes('')) {
    throw new UserError('input', `the destination ${written} has an empty tag=`, {
      hint: 'Write tag=NAME, or leave it out.',
    });
  }
  return {
    ...template,
    tags: tags.map(parseTagLine),
    mayFail: options.includes(MAY_FAIL),
    line: [template.text, ...options].join(' '),
  };
}

const isOption = (word: string): boolean => word === MAY_FAIL || word.startsWith(TAG);

/** Behind a registry any word; a path may have blanks in it, so there only what looks like an option. */
const isMeantAsOption = (word: string, place: string): boolean =>
  LIKE_OPTION.test(word) && (!isFile(place) || word.includes('=') || nearestNames(word, [MAY_FAIL]).length > 0);

const isFile = (place: string): boolean => /^(?:oci|oci-archive|docker-archive):/.test(place);

/** How long the text is without the options at its end. */
function placeLength(text: string, options: readonly string[]): number {
  let rest = text;
  for (const option of options.toReversed()) rest = rest.slice(0, rest.length - option.length).trimEnd();
  return rest.length;
}

function unknownOption(written: string, word: string): UserError {
  const name = word.replace(/=.*/, '');
  const hint =
    name === 'tags'
      ? 'Write tag=… for each tag: ghcr.io/org/app tag=latest tag=1.2.'
      : `Behind a destination may stand may-fail and tag=TAG.${didYouMean(name, [MAY_FAIL, 'tag'])}`;
  return new UserError('input', `the destination ${written} has the unknown option ${word}`, {
    hint,
    docs: 'registries.md',
  });
}

/** The destinations that must not fail; where all may, all of them. */
export function requiredLines<T extends Pick<DestinationLine, 'mayFail'>>(lines: readonly T[]): readonly T[] {
  const required = lines.filter(({ mayFail }) => !mayFail);
  return required.length > 0 ? required : lines;
}
