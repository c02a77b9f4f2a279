import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { lowerCaseRepository } from '../oci/lower-case-repository.ts';
import { type Location, parseLocation } from '../storage/location.ts';
import type { LocationTemplate } from '../storage/location-template.ts';

/** Throws UserError `reference` where several images would go to one place. */
export function checkTemplate({ text, hasName }: LocationTemplate, names: readonly string[]): void {
  if (hasName || names.length < 2) return;
  throw new UserError('reference', `${names.length} images would go to ${text}: ${names.slice(0, 5).join(', ')}`, {
    hint: `Put the name of the image into it, such as ${text.replace(/:[^/:]*$/, '')}/{name}.`,
  });
}

/** Says which destinations are not used as they were written. */
export function noteLowerCase(templates: readonly LocationTemplate[], log: Log): void {
  for (const { text, written } of templates)
    if (text !== written) log.info(`to: ${written} is used as ${text}: repositories have names in lower case`);
}

/** Reads the place of an image that is there, with a repository's capitals as small letters. Throws UserError `reference`. */
export const parsePlace = (text: string): Location => parseLocation(lowerCaseRepository(text));
