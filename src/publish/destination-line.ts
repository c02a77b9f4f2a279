import { UserError } from '../core/error.ts';
import { didYouMean, nearestNames } from '../core/nearest.ts';
import { isFilesPlace } from '../storage/files-location.ts';
import {
  type LocationTemplate,
  parseFilesTemplate,
  parseLocationTemplate,
  parseRegistryTemplate,
} from '../storage/location-template.ts';
import { parseTagLine, type TagLine } from './tag-lines.ts';

/** One line of the input `to`: a destination, and what is said of it alone. */
interface Line extends LocationTemplate {
  /** The tags to move there, or rules for them, instead of those that count everywhere; none where it says none. */
  readonly tags: readonly TagLine[];
  /** Whether the publish succeeds although this one fails. */
  readonly mayFail: boolean;
  /** All of it; read again it means the same. */
  readonly line: string;
}

/** A destination that images go to as they are, and disks as artifacts. */
export interface DestinationLine extends Line {
  readonly form: 'image';
}

/** A destination that takes a disk as an image that KubeVirt boots. Containers do not go there. */
interface ContainerDiskLine extends Line {
  readonly form: 'container-disk';
}

/** A destination that takes a disk as files. Containers do not go there. */
export interface FilesLine extends Line {
  readonly form: 'files';
}

/** A destination that images go to, whatever they were made of. */
export type ImageLine = DestinationLine | ContainerDiskLine;

/** A line of the input `to` of commands that know disks. */
export type ToLine = ImageLine | FilesLine;

const MAY_FAIL = 'may-fail';
const TAG = 'tag=';
const AS = 'as=';
const CONTAINER_DISK = 'container-disk';

/** Blanks between words; one inside `{{ }}` belongs to an expression of a tag rule. */
const BLANKS = /\s+(?![^{]*\}\})/;

/** A word of small letters, alone or before `=`. */
const LIKE_OPTION = /^[a-z][a-z-]*(?:=|$)/;

/**
 * Reads a destination and, behind it, its options: `may-fail`, and `tag=` with a tag or a rule, which may be repeated. Throws
 * UserError `reference` for what is not a destination, `input` for another option, and as `parseTagLine` does.
 */
export function parseDestinationLine(written: string): DestinationLine {
  const line = parseToLine(written);
  if (line.form === 'image') return line;
  throw new UserError('input', `the destination ${written} is for disks alone`, {
    hint: 'Only publish sends disks, and in these forms: name a registry, or a layout.',
    docs: DISK_DOCS,
  });
}

/** The same for registries only. */
export function parseRegistryLine(written: string): DestinationLine {
  const line = parseDestinationLine(written);
  parseRegistryTemplate(line.text);
  return line;
}

/** Any line of disks, and of images those of registries only. */
export function parseRegistryToLine(written: string): ToLine {
  const line = parseToLine(written);
  if (line.form === 'image') parseRegistryTemplate(line.text);
  return line;
}

const DISK_DOCS = 'disks.md#where-a-disk-goes';

/** Reads any destination; `as=` behind one says which form a disk has there. Throws as `parseDestinationLine`. */
export function parseToLine(written: string): ToLine {
  const words = written.trim().split(BLANKS);
  const options: string[] = [];
  // From the end: the path of a layout may have blanks in it.
  while (words.length > 1 && isOption(words.at(-1) ?? '')) options.unshift(words.pop() ?? '');
  const place = options.length === 0 ? written : written.trim().slice(0, placeLength(written.trim(), options));
  const [, ...more] = words;
  const unknown = more.at(-1);
  if (unknown !== undefined && isMeantAsOption(unknown, place)) throw unknownOption(written, unknown);
  const isFiles = isFilesPlace(place.trim());
  const template = isFiles ? parseFilesTemplate(place.trim()) : parseLocationTemplate(place);
  const valuesOf = (name: string): string[] =>
    options.filter((option) => option.startsWith(name)).map((option) => option.slice(name.length));
  const tags = valuesOf(TAG);
  if (tags.includes('')) {
    throw new UserError('input', `the destination ${written} has an empty tag=`, {
      hint: 'Write tag=NAME, or leave it out.',
    });
  }
  const common = {
    ...template,
    tags: tags.map(parseTagLine),
    mayFail: options.includes(MAY_FAIL),
    line: [template.text, ...options].join(' '),
  };
  return { ...common, form: formOf(written, { isFiles, forms: valuesOf(AS), hasTags: tags.length > 0 }) };
}

interface Asked {
  readonly isFiles: boolean;
  readonly forms: readonly string[];
  readonly hasTags: boolean;
}

function formOf(written: string, { isFiles, forms, hasTags }: Asked): ToLine['form'] {
  const [form, ...others] = forms;
  const refuse = (what: string, hint: string): UserError =>
    new UserError('input', `the destination ${written} ${what}`, { hint, docs: DISK_DOCS });
  if (others.length > 0)
    throw refuse('has several as=', 'A disk has one form at a destination: name it twice for two.');
  if (form !== undefined && form !== CONTAINER_DISK) {
    const hint = `Write as=${CONTAINER_DISK}, or leave it out.${didYouMean(form, [CONTAINER_DISK])}`;
    throw refuse(`has the unknown form as=${form}`, hint);
  }
  if (isFiles && form !== undefined)
    throw refuse(`cannot have as=${form}`, 'A folder and a release hold the disk itself.');
  if (isFiles && hasTags)
    throw refuse('cannot have tag=', 'A folder has no tags, and the tag of a release follows its @.');
  if (isFiles) return 'files';
  return form === undefined ? 'image' : CONTAINER_DISK;
}

/** Those that images go to as they are. */
export const imageLines = (lines: readonly ToLine[]): DestinationLine[] =>
  lines.filter((line): line is DestinationLine => line.form === 'image');

/** Those that take disks as images for KubeVirt. */
export const containerDiskLines = (lines: readonly ToLine[]): ContainerDiskLine[] =>
  lines.filter((line) => line.form === 'container-disk');

/** Those whose place holds images, whatever becomes a disk there. */
export const placesOfImages = (lines: readonly ToLine[]): ImageLine[] => lines.filter((line) => line.form !== 'files');

/** Those that take disks as files. */
export const filesLines = (lines: readonly ToLine[]): FilesLine[] => lines.filter((line) => line.form === 'files');

const isOption = (word: string): boolean => word === MAY_FAIL || word.startsWith(TAG) || word.startsWith(AS);

/** Behind a registry any word; a path may have blanks in it, so there only what looks like an option. */
const isMeantAsOption = (word: string, place: string): boolean =>
  LIKE_OPTION.test(word) && (!isFile(place) || word.includes('=') || nearestNames(word, [MAY_FAIL]).length > 0);

const isFile = (place: string): boolean => /^(?:oci|oci-archive|docker-archive|dir):/.test(place);

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
      : `A destination may be followed by may-fail, tag=TAG and as=${CONTAINER_DISK}.${didYouMean(name, [MAY_FAIL, 'tag', 'as'])}`;
  return new UserError('input', `the destination ${written} has the unknown option ${word}`, {
    hint,
    docs: 'registries.md#several-at-once',
  });
}

/** The destinations that must not fail; where all may, all of them. */
export function requiredLines<T extends Pick<Line, 'mayFail'>>(lines: readonly T[]): readonly T[] {
  const required = lines.filter(({ mayFail }) => !mayFail);
  return required.length > 0 ? required : lines;
}
