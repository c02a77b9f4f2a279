import { UserError } from '../core/error.ts';
import type { Definition } from '../definition/definition.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import type { System } from '../oci/system.ts';
import { settleRoots } from './ambiguous-roots.ts';
import { isDiskDefinition, parseDefinition, parseDiskDefinition } from './answer.ts';
import { imageSystems, type OwnSystems } from './cross.ts';
import { attributeText } from './installable.ts';
import type { Nix } from './nix.ts';
import type { Found } from './probe.ts';
import type { ImagePlace } from './search-places.ts';
import { parseToolDisk, type ToolDisk } from './tool-disk.ts';
import { parseToolImage, type ToolImage, toolImageSystems } from './tool-image.ts';

interface Place {
  readonly system: System;
  /** The attribute path, such as `nixImages.x86_64-linux.app`. */
  readonly attribute: string;
  /** As the image calls itself: repository name and tag. */
  readonly name: string;
  readonly tag: string | null;
}

/** A container image and where it was found: a definition, or a derivation that makes an image with another tool. */
export type Evaluated =
  | (Place & { readonly kind: 'definition'; readonly definition: Definition })
  | (Place & { readonly kind: 'tool-image'; readonly toolImage: ToolImage });

/** A disk and where it was found: a definition, or a derivation that makes a disk with another tool. */
export type EvaluatedDisk =
  | (Place & { readonly kind: 'disk'; readonly disk: DiskDefinition })
  | (Place & { readonly kind: 'tool-disk'; readonly toolDisk: ToolDisk });

export type EvaluatedAny = Evaluated | EvaluatedDisk;

export const isContainerImage = (evaluated: EvaluatedAny): evaluated is Evaluated =>
  evaluated.kind === 'definition' || evaluated.kind === 'tool-image';

const nameOf = (path: readonly string[]): string => attributeText(path) || 'the image of the file';

/** Checks that an image runs on the system that it is wanted for, whatever builds it. */
function agreeOnSystem(what: string, { system, listedUnder = system }: ImagePlace, own: OwnSystems): void {
  const its = imageSystems(listedUnder, own);
  if (typeof its === 'string') {
    throw new UserError('definition', `${what} ${its}`, {
      hint: `Take its packages from the package set of ${listedUnder}, or leave 'system' out.`,
      docs: 'definition.md#system',
    });
  }
  if (its.system === system) return;
  throw new UserError('input', `${what} is of ${its.system}, not of ${system}`, {
    hint:
      its.system === listedUnder
        ? 'Name the image without its system, as FLAKE#NAME, to get it for others.'
        : `It is cross-compiled: name it by its full path, with --system ${its.system}.`,
  });
}

/**
 * What an evaluation found, as an image or a disk; undefined where it is none. Throws UserError `definition` for one that does not
 * fit the schema or is of another system, `evaluation` as `settleRoots` does.
 */
export async function imageOf(nix: Nix, place: ImagePlace, found: Found): Promise<EvaluatedAny | undefined> {
  const { path, system } = place;
  const attribute = attributeText(path);
  if (found.found === 'tool-image') {
    const toolImage = parseToolImage(nameOf(path), found.toolImage, path.at(-1) ?? '');
    agreeOnSystem(nameOf(path), place, toolImageSystems(toolImage, false));
    const { name, tag } = toolImage;
    return { kind: 'tool-image', toolImage, name, tag, system, attribute };
  }
  if (found.found === 'disk') {
    const toolDisk = parseToolDisk(nameOf(path), found.toolDisk, path);
    agreeOnSystem(nameOf(path), place, toolImageSystems(toolDisk, false));
    return { kind: 'tool-disk', toolDisk, name: toolDisk.name, tag: null, system, attribute };
  }
  if (found.found !== 'definition') return undefined;
  if (isDiskDefinition(found.definition)) {
    const disk = parseDiskDefinition(nameOf(path), found.definition);
    agreeOnSystem(nameOf(path), place, { runsOn: disk.system, builtOn: disk.buildSystem });
    return { kind: 'disk', disk: await settleRoots(nix, disk), name: disk.name, tag: disk.tag, system, attribute };
  }
  const definition = parseDefinition(nameOf(path), found.definition);
  agreeOnSystem(nameOf(path), place, { runsOn: definition.system, builtOn: definition.buildSystem });
  const { name, tag } = definition;
  return { kind: 'definition', definition: await settleRoots(nix, definition), name, tag, system, attribute };
}

const systemIn = (definition: unknown): string | null =>
  typeof definition === 'object' &&
  definition !== null &&
  'system' in definition &&
  typeof definition.system === 'string'
    ? definition.system
    : null;

/** The system that an image is of by its own word; null where it says nothing. */
export function ownSystem(found: Found): string | null {
  if (found.found === 'definition') return systemIn(found.definition);
  if (found.found === 'tool-image') return toolImageSystems(found.toolImage, true).runsOn;
  if (found.found === 'disk') return toolImageSystems(found.toolDisk, true).runsOn;
  return found.found === 'there' ? found.system : null;
}
