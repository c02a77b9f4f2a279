import { storePathSchema } from '../definition/store-path-schema.ts';
import type { Host } from '../host/host.ts';
import type { EvaluatedAny } from '../nix/found-image.ts';
import { appendToJob, readOfJob } from './job-file.ts';

/** Where the steps of a job tell each other which store paths are images that other tools made: nothing else tells them from packages. */
const FILE = 'images';

/** Those of the steps before: store paths, or derivations of what is not built yet. Never throws. */
export async function builtImages(host: Pick<Host, 'env'>): Promise<readonly string[]> {
  const lines = (await readOfJob(host, FILE)).split('\n');
  return [...new Set(lines)].filter((line) => storePathSchema.safeParse(line).success);
}

/** Tells of images: store paths, or derivations of what is not built. */
export function tellImages(host: Pick<Host, 'env'>, paths: readonly string[]): void {
  if (paths.length > 0) appendToJob(host, FILE, `${paths.join('\n')}\n`);
}

/** Tells of an image that is about to be built; a definition has no store path. */
export function tellImage(host: Pick<Host, 'env'>, evaluated: EvaluatedAny): void {
  if (evaluated.kind === 'tool-image') tellImages(host, [evaluated.toolImage.outPath]);
  if (evaluated.kind === 'tool-disk') tellImages(host, [evaluated.toolDisk.outPath]);
}
