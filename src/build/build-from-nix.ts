import type { Definition } from '../image/definition.ts';
import type { System } from '../image/system.ts';
import type { Log } from '../io/log.ts';
import { withGcRoots } from '../nix/gc-roots.ts';
import type { Nix } from '../nix/nix.ts';
import type { Destination } from '../registry/destination.ts';
import type { ImageSource } from '../registry/open.ts';
import type { Repository } from '../registry/repository.ts';
import { type BuiltImage, buildImage } from './build-image.ts';
import { imageClosure } from './image-closure.ts';
import { openBase } from './open-base.ts';

export interface BuildJob {
  readonly definition: Definition;
  readonly system: System;
  /** Where layers, config and manifest go. */
  readonly repositories: readonly Repository[];
}

export interface BuildTools {
  readonly nix: Nix;
  readonly openForReading: (destination: Destination) => Promise<ImageSource>;
  readonly tempDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** One build job: realises a definition for one system and stores its image, kept from garbage collection meanwhile. */
export function buildFromNix(job: BuildJob, tools: BuildTools): Promise<BuiltImage> {
  const { definition, system } = job;
  const { log, nix, tempDir, signal } = tools;
  return withGcRoots(async (gcRootDir) => {
    const closure = await log.group(`Realise ${definition.name} for ${system}`, () =>
      imageClosure(nix, definition, gcRootDir),
    );
    // Only now: an archive in the store is there when it has been realised.
    const base = await openBase(definition, system, tools.openForReading);
    return await log.group(`Make the layers of ${definition.name} for ${system}`, () =>
      buildImage({ ...job, closure, base, tempDir, log, signal }),
    );
  });
}
