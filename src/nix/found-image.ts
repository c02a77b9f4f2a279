import type { Definition } from '../image/definition.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { settleRoots } from './ambiguous-roots.ts';
import { parseDefinition } from './answer.ts';
import { type Foreign, parseForeign } from './foreign.ts';
import { attributeText } from './installable.ts';
import type { Nix } from './nix.ts';
import type { Found } from './probe.ts';
import type { ImagePlace } from './search-places.ts';

interface Place {
  readonly system: System;
  /** The attribute path, such as `nixImages.x86_64-linux.app`. */
  readonly attribute: string;
}

/** An image and where it was found: a definition, or a derivation that makes an image with another tool. */
export type Evaluated =
  | (Place & { readonly kind: 'definition'; readonly definition: Definition })
  | (Place & { readonly kind: 'foreign'; readonly foreign: Foreign });

const nameOf = (path: readonly string[]): string => attributeText(path) || 'the image of the file';

const agreeOnSystem = (what: string, system: System, definition: Definition): void => {
  if (definition.system === null || definition.system === system) return;
  throw new UserError('definition', `${what} stands under ${system} but holds programs of ${definition.system}`, {
    hint: `take its packages from the package set of ${system}, or leave 'system' out`,
    docs: 'definition.md',
  });
};

/**
 * What an evaluation found, as an image; undefined where it is none. Throws UserError `definition` for one that does not
 * fit the schema or is of another system, `evaluation` as `settleRoots` does.
 */
export const imageOf = async (nix: Nix, { path, system }: ImagePlace, found: Found): Promise<Evaluated | undefined> => {
  const attribute = attributeText(path);
  if (found.found === 'foreign') {
    const foreign = parseForeign(nameOf(path), found.foreign, path.at(-1) ?? '');
    return { kind: 'foreign', foreign, system, attribute };
  }
  if (found.found !== 'definition') return undefined;
  const definition = parseDefinition(nameOf(path), found.definition);
  agreeOnSystem(nameOf(path), system, definition);
  return { kind: 'definition', definition: await settleRoots(nix, definition), system, attribute };
};

const systemIn = (definition: unknown): string | null =>
  typeof definition === 'object' &&
  definition !== null &&
  'system' in definition &&
  typeof definition.system === 'string'
    ? definition.system
    : null;

/** The system that an image is of by its own word; null where it says nothing. */
export const ownSystem = (found: Found): string | null => {
  if (found.found === 'definition') return systemIn(found.definition);
  if (found.found === 'foreign') return found.foreign.system;
  return found.found === 'there' ? found.system : null;
};
