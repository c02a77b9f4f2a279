import { UserError } from '../../core/error.ts';
import type { Definition } from '../../definition/definition.ts';
import { pathInStore } from '../../layer/inside-store.ts';
import type { System } from '../../oci/system.ts';
import { type Destination, formatDestination, parseDestination } from '../../storage/destination.ts';
import { openImageFile } from '../../storage/image-file.ts';
import type { ImageSource } from '../../storage/open.ts';
import { type BaseImage, readBase } from '../base-image.ts';

/** What opening a base asks of the world. */
export interface BaseTools {
  readonly openForReading: (destination: Destination) => Promise<ImageSource>;
  /** Where a compressed archive is unpacked. */
  readonly tempDir: string;
  readonly signal: AbortSignal;
}

/** The base a definition stands on; undefined when it stands on nothing. Throws as readBase does. */
export async function openBase(
  definition: Definition,
  system: System,
  tools: BaseTools,
): Promise<BaseImage | undefined> {
  if (definition.fromImage === null) return undefined;
  const { repository, reference } = await openBaseSource(definition.fromImage, tools);
  return readBase(repository, reference, system);
}

/**
 * Opens what a definition's `fromImage` names: an image of a registry by digest (a tag would make another image of the
 * same definition tomorrow), or an archive or layout in the store. Throws UserError `definition`, `reference`, `file`.
 */
async function openBaseSource(fromImage: string, tools: BaseTools): Promise<ImageSource> {
  if (fromImage.startsWith('/nix/store/')) return openImageFile(pathInStore(fromImage), tools.tempDir, tools.signal);
  const destination = parseDestination(fromImage);
  if (destination.kind === 'registry' && destination.reference.digest) return tools.openForReading(destination);
  if (destination.kind !== 'registry') {
    throw new UserError('definition', `fromImage: ${fromImage} is not in the Nix store`, {
      hint: 'Name the file as a Nix path, so that it becomes part of the definition.',
    });
  }
  throw new UserError('definition', `fromImage: ${fromImage} names no digest`, {
    hint: `nix-images inspect ${formatDestination(destination)} prints the digest; write it as NAME@sha256:...`,
  });
}
