import type { Exec } from '../../core/exec.ts';
import type { Log } from '../../core/log.ts';
import type { Definition } from '../../definition/definition.ts';
import type { LayerWriter } from '../../layer/layer-threads.ts';
import { withGcRoots } from '../../nix/gc-roots.ts';
import type { Nix } from '../../nix/nix.ts';
import type { Origin } from '../../oci/origin.ts';
import type { System } from '../../oci/system.ts';
import type { Repository } from '../../storage/destination.ts';
import type { Location } from '../../storage/location.ts';
import type { OpenedImage } from '../../storage/source.ts';
import { type BuiltImage, buildImage } from '../build-image.ts';
import type { Journal } from '../journal.ts';
import type { LayerTools } from '../layer-tools.ts';
import type { ReadPrevious } from '../previous-image.ts';
import { fetchBase, readImageClosure } from './image-closure.ts';
import { openImagePaths } from './image-paths.ts';
import { openBase } from './open-base.ts';

export interface BuildJob {
  readonly definition: Definition;
  readonly system: System;
  /** Where layers, config and manifest go. */
  readonly repositories: readonly Repository[];
  readonly readPrevious: ReadPrevious;
  readonly journal: Journal;
  readonly recompress: boolean;
  /** What the image says of the run that makes it, unless it is published already and keeps its own. */
  readonly origin: Origin;
}

export interface BuildTools {
  readonly nix: Nix;
  readonly exec: Exec;
  readonly openForReading: (destination: Location) => Promise<OpenedImage>;
  readonly tempDir: string;
  readonly openWriter: () => LayerWriter;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** One build job: a definition for one system, from Nix into the repositories; nothing is collected meanwhile. */
export function buildFromNix(job: BuildJob, tools: BuildTools): Promise<BuiltImage> {
  const { definition, system } = job;
  const { log, nix } = tools;
  return withGcRoots(async (gcRootDir) => {
    // The registry answers while Nix works.
    const reading = job.readPrevious(system);
    reading.catch(() => undefined);
    const image = await log.group(`Realising ${definition.name} for ${system}`, async () => {
      await fetchBase(nix, definition, gcRootDir);
      return readImageClosure(nix, definition, gcRootDir);
    });
    const base = await openBase(definition, system, tools);
    const openPaths: LayerTools['openPaths'] = (demand) =>
      openImagePaths(nix, definition, { image, demand, gcRootDir, tempDir: tools.tempDir });
    try {
      return await log.group(`Making the layers of ${definition.name} for ${system}`, async () =>
        buildImage({ ...job, ...tools, closure: image.closure, base, openPaths, previous: await reading }),
      );
    } finally {
      await base?.repository.close();
    }
  });
}
