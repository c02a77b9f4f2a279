import { isSystem, type System } from '../oci/system.ts';

/** Where an image runs, and where it is made if it is cross-compiled on another system; null if it is not. */
interface ImageSystems {
  readonly system: System;
  readonly buildSystem: System | null;
}

/** What an image says about its systems; null where it says nothing. */
export interface OwnSystems {
  readonly runsOn: string | null;
  readonly builtOn: string | null;
}

/**
 * The systems of an image that an attribute under `listedUnder` gives (in a file: that was asked for). What the image says goes
 * first. As text, why it cannot be taken: it runs on no system that images are for, or it was put under a system that it
 * neither runs on nor is built on.
 */
export function imageSystems(listedUnder: System, { runsOn, builtOn }: OwnSystems): ImageSystems | string {
  const system = runsOn ?? listedUnder;
  if (!isSystem(system)) return `runs on ${system}, which images are not built for`;
  const isCross = builtOn !== null && builtOn !== system;
  if (system !== listedUnder && !isCross) return `is listed under ${listedUnder} but holds programs of ${system}`;
  return { system, buildSystem: isCross && isSystem(builtOn) ? builtOn : null };
}
