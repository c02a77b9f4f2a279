import { UserError } from '../core/error.ts';
import { containerDiskLines, filesLines, imageLines, requiredLines, type ToLine } from '../publish/destination-line.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { locationOf } from '../storage/location-template.ts';
import { checkGoesSomewhere } from './check-destinations.ts';
import { type DiskPart, diskPart, publishedParts, temporaryLine } from './disk-parts.ts';
import type { NotPublished } from './not-published.ts';
import { inFolder } from './places.ts';
import { type Publication, type Publishing, publishImage } from './publish-image.ts';
import type { PublishedFiles } from './published-files.ts';
import { StagedDisks } from './staged-disks.ts';

interface Disk {
  readonly name: string;
  readonly tag: string | null;
  /** Whether it is one, and not a container image. */
  readonly isDisk: boolean;
}

/** What came of one image in one form. */
export type Attempt = Publication | { readonly files: PublishedFiles } | NotPublished;

/**
 * Publishes an image wherever it goes; a disk in all of its forms: as artifact, as image for KubeVirt, as files. Files are written to their places
 * before a tag moves, and shown last. Each form is whole or not there, and one that fails when another is published is told by itself. Throws UserError where nothing is
 * published.
 */
export async function publishForms(
  image: Disk,
  parts: readonly PlatformInput[],
  to: readonly ToLine[],
  publishing: Publishing,
): Promise<readonly Attempt[]> {
  checkGoesSomewhere(image.name, image.isDisk, to);
  const own = imageLines(to);
  const kubevirt = containerDiskLines(to).filter((line) => publishing.tags.at(line, image.name)?.length !== 0);
  const files = filesLines(to).filter((line) => publishing.tags.at(line, image.name)?.length !== 0);
  if (!image.isDisk || kubevirt.length + files.length === 0) return [await publishImage(image, parts, own, publishing)];
  const { places, host } = publishing;
  const attempts: Attempt[] = [];
  await using opened = new AsyncDisposableStack();
  let stored = parts;
  const isBuiltHere = parts.some(({ kind }) => kind === 'job');
  if (isBuiltHere) {
    const at = own.length > 0 ? own : [temporaryLine(await host.tempDir(), image.name)];
    const publication = await publishImage(image, parts, at, publishing);
    if (own.length > 0) attempts.push(publication);
    const [first] = requiredLines(at);
    if (first === undefined) throw new RangeError('a disk is built somewhere');
    const location = inFolder(locationOf(first, image.name), host.cwd);
    stored = await publishedParts(publication, parts, location, { places, opened });
  }
  const disks: DiskPart[] = [];
  for (const part of stored) disks.push(await diskPart(part, places, host.signal));
  const staged = await StagedDisks.stage(disks, files, { files: publishing.files, log: host.log });
  try {
    if (!isBuiltHere && own.length > 0) attempts.push(await publishImage(image, parts, own, publishing));
    if (kubevirt.length > 0) {
      const made = disks.map(({ containerDisk }) => containerDisk);
      const publish = () => publishImage(image, made, kubevirt, publishing);
      attempts.push(
        await told(`${image.name} as=container-disk`, publish, (publication) => ({
          ...publication,
          image: { ...publication.image, form: 'container-disk' as const },
        })),
      );
    }
    if (files.length > 0) {
      const systems = disks.map(({ system }) => system);
      attempts.push(
        await told(
          `${image.name} as files`,
          () => staged.finish(),
          (targets) => ({ files: { name: image.name, systems, targets } }),
        ),
      );
    }
    return attempts;
  } finally {
    await staged.abandon();
  }
}

/** A form that fails by itself. Throws UserError `cancelled`. */
async function told<T, A extends Attempt>(
  name: string,
  work: () => Promise<T>,
  then: (done: T) => A,
): Promise<A | NotPublished> {
  try {
    return then(await work());
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    return { name, error };
  }
}
