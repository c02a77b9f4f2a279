import { UserError } from '../core/error.ts';
import { isSystem, type System } from '../oci/system.ts';
import { isArtifactName } from './artifact-name.ts';

/** What the name of a handover's artifact says. */
export interface HandoverName {
  /** Name of the image, such as `org/app`. */
  readonly image: string;
  readonly system: System;
  /** The call of the run that it is for, where its build job was given one. */
  readonly call?: string | undefined;
  /** Attempt of the workflow run whose job uploaded it, from 1 on. */
  readonly attempt: number;
  /** Which upload of this attempt it is, 1 to 9, because a name is lost when its upload fails. Default: 1. */
  readonly upload?: number;
}

/** Uploads that one attempt can name. */
const MOST_UPLOADS = 9;

/**
 * Stands for `/`, which artifact names may not hold. It is in no image name, it needs no escape in a URL, and no shell
 * or file system minds it inside a word.
 */
const SLASH = '~';

/** One part of a repository name (distribution-spec, "Pulling manifests"). */
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';

// Read from its end: system and attempt are known words, so that whatever is left is the image, whatever it looks like.
const NAME = new RegExp(
  `^handover-(${PART}(?:${SLASH}${PART})*)-([a-z0-9_]+-linux)-(?:([0-9a-f]{8})-)?([1-9]\\d{0,8})(?:\\.([2-${MOST_UPLOADS}]))?\\.tar$`,
);

/**
 * Name of the artifact that hands over `image` for `system`. It holds the attempt, since names are taken for all
 * attempts of a run: a job that runs again would be refused. Throws UserError `handover` when it were too long.
 */
export function formatHandoverName({ image, system, call, attempt, upload = 1 }: HandoverName): string {
  const count = upload === 1 ? attempt : `${attempt}.${upload}`;
  const name = `handover-${image.replaceAll('/', SLASH)}-${system}-${call === undefined ? '' : `${call}-`}${count}.tar`;
  if (isArtifactName(name)) return name;
  throw new UserError('handover', `${JSON.stringify(name)} is not a valid artifact name`, {
    hint: "Shorten the image's name: the artifact's name, which holds it, may have 255 characters.",
  });
}

/** The reverse of formatHandoverName; undefined for names that it does not make. */
export function parseHandoverName(name: string): HandoverName | undefined {
  const [, image, system, call, attempt, upload] = NAME.exec(name) ?? [];
  if (image === undefined || system === undefined || !isSystem(system)) return undefined;
  const first = {
    image: image.replaceAll(SLASH, '/'),
    system,
    ...(call === undefined ? {} : { call }),
    attempt: Number(attempt),
  };
  return upload === undefined ? first : { ...first, upload: Number(upload) };
}

/** Names for `upload` in artifacts.ts to fall back on, when an upload under the first breaks off. */
export const spareHandoverNames = (name: HandoverName): string[] =>
  [2, 3].map((upload) => formatHandoverName({ ...name, upload }));

/** A handover's artifact and what its name says. */
export interface NamedHandover<A> extends HandoverName {
  readonly artifact: A;
}

/** An artifact as the service lists it. */
export type Listed = { readonly name: string; readonly id: number; readonly digest?: string | undefined };

/** Negative when `a` is older than `b`. Should the service list a name twice, the later one (larger id) is newer. */
const compareAge = <A extends Listed>(a: NamedHandover<A>, b: NamedHandover<A>): number =>
  a.attempt - b.attempt || (a.upload ?? 1) - (b.upload ?? 1) || a.artifact.id - b.artifact.id;

const groupOf = ({ image, system, call }: HandoverName): string => `${image} ${system} ${call ?? ''}`;

/**
 * For each image, system and call the artifact of the newest attempt, and of its last upload; sorted by image and system. Later
 * attempts than `attempt`, the run's own, do not count: any job can write such a name, and no build job has. Throws
 * UserError `handover` when one attempt has two that differ: a build job uploads again only what it has made once.
 */
export function newestHandovers<A extends Listed>(artifacts: readonly A[], attempt: number): NamedHandover<A>[] {
  const newest = new Map<string, NamedHandover<A>>();
  for (const artifact of artifacts) {
    const name = parseHandoverName(artifact.name);
    if (!name || name.attempt > attempt) continue;
    const handover = { ...name, artifact };
    const key = groupOf(name);
    const other = newest.get(key);
    if (!other || compareAge(other, handover) < 0) newest.set(key, handover);
  }
  for (const artifact of artifacts) checkOne(artifact, newest);
  return [...newest.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, handover]) => handover);
}

function checkOne<A extends Listed>(artifact: A, newest: ReadonlyMap<string, NamedHandover<A>>): void {
  const name = parseHandoverName(artifact.name);
  const taken = name && newest.get(groupOf(name));
  if (!name || !taken || taken.attempt !== name.attempt || taken.artifact.digest === artifact.digest) return;
  throw new UserError('handover', `${artifact.name} and ${taken.artifact.name} differ, and are of one build job`, {
    hint: 'Another job of the run may have uploaded one of them. See which did, and run all jobs again.',
  });
}
