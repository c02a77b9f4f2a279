import { UserError } from '../core/error.ts';
import { lowerCaseRepository } from '../oci/lower-case-repository.ts';
import { type FilesLocation, parseFilesLocation } from './files-location.ts';
import { type Location, parseLocation } from './location.ts';

/** A destination in which `{name}` stands for an image's name, so that one text serves several images. */
export interface LocationTemplate {
  /** As it was written, but for a repository's capitals, which no registry takes. */
  readonly text: string;
  /** As it was written. */
  readonly written: string;
  /** Whether `{name}` is in it. */
  readonly hasName: boolean;
}

const PLACEHOLDER = '{name}';

/** Legal wherever a name is. */
const EXAMPLE = 'name';

/** The destination of one image. Throws UserError `reference` when the name makes it illegal. */
export const locationOf = ({ text }: Pick<LocationTemplate, 'text'>, name: string): Location =>
  parseLocation(text.replaceAll(PLACEHOLDER, name));

/** The place of one image's files. Throws UserError `reference` when the name makes it illegal. */
export const filesLocationOf = ({ text }: Pick<LocationTemplate, 'text'>, name: string): FilesLocation =>
  parseFilesLocation(text.replaceAll(PLACEHOLDER, name));

/**
 * Parses a destination that may hold `{name}`. A repository's capitals become small letters, for owners on GitHub have them
 * (`ghcr.io/MyOrg/{name}`) and repositories may not. Throws UserError `reference`.
 */
export function parseLocationTemplate(written: string): LocationTemplate {
  const template = templateOf(lowerCaseRepository(written), written);
  locationOf(template, EXAMPLE);
  return template;
}

/** The same for a place of files, whose capitals count. Throws UserError `reference`. */
export function parseFilesTemplate(written: string): LocationTemplate {
  const template = templateOf(written, written);
  filesLocationOf(template, EXAMPLE);
  return template;
}

function templateOf(text: string, written: string): LocationTemplate {
  const other = /[{}]/.exec(text.replaceAll(PLACEHOLDER, ''));
  if (other) {
    throw new UserError('reference', `${JSON.stringify(text)} is not a valid destination: unexpected ${other[0]}`, {
      hint: 'Only {name} is filled in, with the name of the image.',
    });
  }
  return { text, written, hasName: text.includes(PLACEHOLDER) };
}

/** The same for registries only. Throws UserError `reference`. */
export function parseRegistryTemplate(text: string): LocationTemplate {
  const template = parseLocationTemplate(text);
  if (locationOf(template, EXAMPLE).kind === 'registry') return template;
  throw new UserError('reference', `${JSON.stringify(text)} is not a valid destination: not a registry`, {
    hint: 'Write docker://REFERENCE or a plain reference, such as ghcr.io/org/{name}.',
  });
}
