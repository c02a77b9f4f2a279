import { UserError } from '../core/error.ts';
import { onFirstUse } from '../core/on-first-use.ts';
import { contentsOf } from '../diff/contents.ts';
import type { ComparedImage } from '../diff/image-diff.ts';
import type { Job } from '../github/job.ts';
import { newestReports } from '../github/report-name.ts';
import { readHandover } from '../handover/handover.ts';
import type { Host } from '../host/host.ts';
import { inspectImage } from '../inspect/inspection.ts';
import { SYSTEMS } from '../oci/system.ts';
import { artifactsOf } from './github.ts';

/**
 * What build jobs of this run say is in images that are not published, as in a fork's pull request; undefined for an image of which none says
 * anything. The list of artifacts is read once. It is what a job of this run wrote, so it is shown and decides nothing. Throws UserError
 * `handover` for a report that cannot be read, and `cancelled`.
 */
export function reportedImages(job: Job, host: Host): (name: string) => Promise<ComparedImage | undefined> {
  const artifacts = artifactsOf(host);
  const listed = onFirstUse(async () => {
    try {
      return newestReports(await artifacts.list(), job.attempt);
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      host.log.warn(`what build jobs report cannot be read: ${error.message}`);
      return [];
    }
  });
  return async (name) => {
    const own = (await listed())
      .filter(({ image }) => image === name)
      .sort((a, b) => SYSTEMS.indexOf(a.system) - SYSTEMS.indexOf(b.system));
    if (own.length === 0) return undefined;
    if (new Set(own.map(({ system }) => system)).size < own.length)
      throw new UserError('handover', `several calls of this run build ${name}, and each reports another one`);
    const folder = await host.tempDir();
    const images: ComparedImage['images'][number][] = [];
    for (const { artifact } of own) {
      for (const { manifest, layout } of await readHandover(await artifacts.download(artifact, folder), folder)) {
        try {
          images.push(...(await inspectImage(layout, manifest.digest)).images.map(contentsOf));
        } finally {
          await layout.close();
        }
      }
    }
    return { reference: 'this run', digest: null, images };
  };
}
