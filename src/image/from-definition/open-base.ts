import type { Effects } from '../../core/effects.ts';
import { UserError } from '../../core/error.ts';
import type { Definition } from '../../definition/definition.ts';
import { pathInStore } from '../../layer/inside-store.ts';
import type { System } from '../../oci/system.ts';
import { formatLocation, type Location, parseLocation } from '../../storage/location.ts';
import { openImageFile } from '../../storage/open.ts';
import type { OpenedImage } from '../../storage/source.ts';
import { type ExistingImage, readBase } from '../existing-image.ts';

/** What opening a base asks of the world. */
export interface BaseTools extends Pick<Effects, 'signal' | 'tempDir'> {
  readonly openForReading: (destination: Location) => Promise<OpenedImage>;
}

/** The base that a definition names; undefined when it names none. Throws as readBase does. */
export async function openBase(
  definition: Definition,
  system: System,
  tools: BaseTools,
): Promise<ExistingImage | undefined> {
  if (definition.fromImage === null) return undefined;
  const { source, reference } = await openBaseSource(definition.fromImage, tools);
  return readBase(source, reference, system);
}

/**
 * Opens what a definition's `fromImage` names: an image of a registry by digest (a tag would make another image of the
 * same definition tomorrow), or an archive or layout in the store. Throws UserError `definition`, `reference`, `file`.
 */
async function openBaseSource(fromImage: string, tools: BaseTools): Promise<OpenedImage> {
  if (fromImage.startsWith('/nix/store/')) return openImageFile(pathInStore(fromImage), tools.tempDir, tools.signal);
  const destination = parseLocation(fromImage);
  if (destination.kind === 'registry' && destination.reference.digest) return tools.openForReading(destination);
  if (destination.kind !== 'registry') {
    throw new UserError('definition', `fromImage: ${fromImage} is not in the Nix store`, {
      hint: 'Name the file as a Nix path, so that it becomes part of the definition.',
    });
  }
  throw new UserError('definition', `fromImage: ${fromImage} names no digest`, {
    hint: `nix-images inspect ${formatLocation(destination)} prints the digest; write it as NAME@sha256:...`,
  });
}
