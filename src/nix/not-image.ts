import { UserError } from '../core/error.ts';
import { nearestNames } from '../core/nearest.ts';
import { attributeText } from './installable.ts';
import type { Found } from './probe.ts';

/** Names listed in a message at most. */
const LISTED = 20;

/** Names for a message, of which many are cut off. */
export const listed = (names: readonly string[]): string =>
  names.length > LISTED ? `${names.slice(0, LISTED).join(', ')} and ${names.length - LISTED} more` : names.join(', ');

/** A place that was searched without success: its attribute path, how far the search came, and what is there. */
export interface Searched {
  readonly place: readonly string[];
  readonly depth: number;
  readonly names: readonly string[];
  /** Whether it is a package set, whose names are too many to list. */
  readonly isLarge?: boolean;
}

function searchedText({ place, depth, names }: Searched): string {
  const reached = attributeText(place.slice(0, depth)) || 'the file';
  return names.length > 0 ? `${reached} has ${listed(names)}` : `${reached} has no attributes`;
}

/** What else is known of a name that is nowhere. */
interface UnknownContext {
  /** Outputs that the flake does not have. */
  readonly absent?: readonly string[];
  /** Other systems for which the image exists. */
  readonly elsewhere?: readonly string[];
}

/**
 * The error for a name that is nowhere. `what` is the installable as it was written, `searched` the places that
 * exist.
 */
export function unknownAttribute(
  what: string,
  searched: readonly Searched[],
  { absent = [], elsewhere = [] }: UnknownContext = {},
): UserError {
  const near = searched.flatMap(({ place, depth, names }) => nearestNames(place[depth] ?? '', names));
  const meant = near.length > 0 ? `Did you mean ${[...new Set(near)].join(' or ')}? ` : '';
  const [other] = elsewhere;
  const systems = other === undefined ? '' : ` (there is one for ${elsewhere.join(' and ')})`;
  const choose = other === undefined ? '' : `Choose that system with --system ${other}. `;
  const missing = absent.length > 0 ? [`the flake has no ${absent.join(' and no ')}`] : [];
  const places = [...searched.filter(({ isLarge }) => !isLarge).map(searchedText), ...missing].join('; ');
  return new UserError('evaluation', `${what}: no such image${systems}; ${places}`, {
    hint: `${choose}${meant}Images are declared as nixImages.<system>.<name> = mkImage { … }.`,
    docs: 'definition.md#where-images-are-found',
  });
}

/** What is there and is not a container image. */
export type Other =
  | Exclude<Found, { found: 'definition' | 'tool-image' | 'disk' | 'there' | 'nothing' }>
  | { readonly found: 'disk'; readonly name: string };

function kindText(found: Other): string {
  if (found.found === 'disk') return `the disk image ${found.name || '(without name)'}, not a container image`;
  if (found.found === 'derivation') return `the derivation ${found.name || '(without name)'}, not an image`;
  if (found.found === 'value') return `a ${found.type}, not an image`;
  return `${found.names.length > 0 ? `a set with ${listed(found.names)}` : 'an empty set'}, not an image`;
}

function wrapHint(found: Other, name: string): string {
  if (found.found === 'disk')
    return 'A disk is built and published like an image, but it is not one: name a container image here.';
  if (found.found === 'derivation') {
    return `Wrap it: nixImages.<system>.${name} = mkImage { name = "${name}"; copyToRoot = [ … ]; }`;
  }
  if (found.found === 'set') return 'Name one of its attributes, or make it an image with mkImage { … }.';
  return 'Images are made with mkImage { name = "…"; … }.';
}

/** The error for an attribute that is there but is not an image: says what it is and how to make it one. */
export const notAnImage = (what: string, attribute: readonly string[], found: Other): UserError =>
  new UserError('evaluation', `${what}: ${attributeText(attribute) || 'the file'} is ${kindText(found)}`, {
    hint: wrapHint(found, attribute.at(-1) ?? 'app'),
    docs: 'definition.md#where-images-are-found',
  });
