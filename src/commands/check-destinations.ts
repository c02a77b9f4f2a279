import { UserError } from '../core/error.ts';
import { isContainer, type PlannedImage } from '../plan/plan.ts';
import { containerDiskLines, imageLines, type ToLine } from '../publish/destination-line.ts';
import { locationOf } from '../storage/location-template.ts';
import { checkTemplate } from './naming.ts';

type Named = Pick<PlannedImage, 'name' | 'jobs'>;

const isDiskImage = ({ jobs }: Pick<PlannedImage, 'jobs'>): boolean => jobs.some((job) => !isContainer(job));

/**
 * Whether every image of a plan has a place to go to, and none shares it with another: known before anything is built. Throws UserError `input`, and
 * `reference` as `checkTemplate` does.
 */
export function checkDestinations(to: readonly ToLine[], images: readonly Named[]): void {
  const names = (some: readonly Named[]): string[] => some.map(({ name }) => name);
  const disks = images.filter(isDiskImage);
  for (const line of imageLines(to)) checkTemplate(line, names(images));
  for (const line of containerDiskLines(to)) checkTemplate(line, names(disks));
  if (to.length === 0) return;
  for (const { name, jobs } of images) checkGoesSomewhere(name, isDiskImage({ jobs }), to);
}

/** Throws UserError `input` where none of the destinations takes an image of the kind. */
export function checkGoesSomewhere(name: string, isDisk: boolean, to: readonly ToLine[]): void {
  const own = imageLines(to);
  if (!isDisk && to.length > 0 && own.length === 0) {
    throw new UserError('input', `${name} is a container image, and all destinations are for disks`, {
      hint: 'Name a registry, a layout or an archive, such as ghcr.io/org/{name}.',
      docs: 'disks.md#where-a-disk-goes',
    });
  }
  const archive = isDisk ? own.find((line) => locationOf(line, name).kind === 'docker-archive') : undefined;
  if (archive === undefined) return;
  throw new UserError('input', `${name} is a disk, and ${archive.text} holds container images`, {
    hint: 'Write an oci-archive: instead, dir: for a file of the disk, or as=container-disk behind it.',
    docs: 'disks.md#where-a-disk-goes',
  });
}
