import type { Definition } from '../image/definition.ts';
import type { System } from '../image/system.ts';
import type { Destination } from '../registry/destination.ts';
import type { ImageSource } from '../registry/open.ts';
import { type BaseImage, readBase } from './base-image.ts';
import { openBaseSource } from './base-source.ts';

/** The base a definition stands on; undefined when it stands on nothing. Throws as readBase does. */
export async function openBase(
  definition: Definition,
  system: System,
  open: (destination: Destination) => Promise<ImageSource>,
): Promise<BaseImage | undefined> {
  if (definition.fromImage === null) return undefined;
  const { repository, reference } = await openBaseSource(definition.fromImage, open);
  return readBase(repository, reference, system);
}
