import { UserError } from '../core/error.ts';
import type { StagedFiles } from '../disk-places/files-place.ts';
import {
  containerDiskLines,
  type FilesLine,
  filesLines,
  imageLines,
  requiredLines,
  type ToLine,
} from '../publish/destination-line.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { formatFilesLocation } from '../storage/files-location.ts';
import { filesLocationOf, locationOf } from '../storage/location-template.ts';
import { checkGoesSomewhere } from './check-destinations.ts';
import { type DiskPart, diskPart, publishedParts, temporaryLine } from './disk-parts.ts';
import type { NotPublished } from './not-published.ts';
import { inFolder } from './places.ts';
import { type Publication, type Publishing, publishImage } from './publish-image.ts';
import type { FilesTarget, PublishedFiles } from './published-files.ts';

interface Disk {
  readonly name: string;
  readonly tag: string | null;
  /** Whether it is one, and not a container image. */
  readonly isDisk: boolean;
}

/** What came of one image in one form. */
export type Attempt = Publication | { readonly files: PublishedFiles } | NotPublished;

/**
 * Publishes an image wherever it goes; a disk in all of its forms: as artifact, as image for KubeVirt, as files. Files are brought to their places
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
  let stored = parts;
  const isBuiltHere = parts.some(({ kind }) => kind === 'job');
  if (isBuiltHere) {
    const at = own.length > 0 ? own : [temporaryLine(await host.tempDir(), image.name)];
    const publication = await publishImage(image, parts, at, publishing);
    if (own.length > 0) attempts.push(publication);
    const [first] = requiredLines(at);
    if (first === undefined) throw new RangeError('a disk is built somewhere');
    stored = await publishedParts(publication, parts, inFolder(locationOf(first, image.name), host.cwd), places);
  }
  const disks: DiskPart[] = [];
  for (const part of stored) disks.push(await diskPart(part, places, host.signal));
  const staged = await stageAll(disks, files, publishing);
  try {
    if (!isBuiltHere && own.length > 0) attempts.push(await publishImage(image, parts, own, publishing));
  } catch (error) {
    await Promise.all(staged.map((one) => one.staged?.abandon()));
    throw error;
  }
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
        () => finishAll(staged, publishing),
        (targets) => ({ files: { name: image.name, systems, targets } }),
      ),
    );
  }
  return attempts;
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

/** A disk of one system at one place. */
interface StagedAt {
  readonly line: FilesLine;
  readonly name: string;
  readonly staged: StagedFiles | undefined;
  readonly failure?: string;
}

/** Brings every disk to every place of files. Throws UserError where one that must not fail does; nothing is left at the others then. */
async function stageAll(
  disks: readonly DiskPart[],
  lines: readonly FilesLine[],
  publishing: Publishing,
): Promise<StagedAt[]> {
  const done: StagedAt[] = [];
  const required = requiredLines(lines);
  for (const line of lines) {
    for (const { name: image, stem, files } of disks) {
      const location = filesLocationOf(line, image);
      const name = formatFilesLocation(location);
      try {
        const place = publishing.files.open(location, { name: image, stem });
        const staged = await publishing.host.log.group(`Bringing ${stem} to ${name}`, async () => place.stage(files));
        done.push({ line, name, staged });
      } catch (error) {
        if (!(error instanceof UserError) || error.code === 'cancelled' || required.includes(line)) {
          await Promise.all(done.map(({ staged }) => staged?.abandon()));
          throw error;
        }
        publishing.host.log.warn(`${name}: ${error.message}`);
        done.push({ line, name, staged: undefined, failure: error.message });
      }
    }
  }
  return done;
}

/** Shows what was brought, place by place: all systems of a disk, or none. */
async function finishAll(staged: readonly StagedAt[], { host }: Publishing): Promise<readonly FilesTarget[]> {
  const targets: FilesTarget[] = [];
  for (const [name, all] of Map.groupBy(staged, (one) => one.name)) {
    const failure = all.find((one) => one.failure !== undefined)?.failure;
    if (failure !== undefined) {
      await Promise.all(all.map((one) => one.staged?.abandon()));
      targets.push({ name, files: [], bytesSent: 0, failure });
      continue;
    }
    try {
      const files: string[] = [];
      for (const one of all) files.push(...((await one.staged?.finish()) ?? []));
      const bytesSent = all.reduce((sum, one) => sum + (one.staged?.bytesSent ?? 0), 0);
      targets.push({ name, files: [...new Set(files)], bytesSent });
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled' || !all.every(({ line }) => line.mayFail))
        throw error;
      host.log.warn(`${name}: ${error.message}`);
      targets.push({ name, files: [], bytesSent: 0, failure: error.message });
    }
  }
  return targets;
}
