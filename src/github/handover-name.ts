import { isSystem, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { isArtifactName } from './artifact-name.ts';

/** What the name of a handover's artifact says. */
export interface HandoverName {
  /** Name of the image, such as `org/app`. */
  readonly image: string;
  readonly system: System;
  /** Attempt of the workflow run whose job uploaded it, from 1 on. */
  readonly attempt: number;
}

/**
 * Stands for `/`, which artifact names may not hold. It is in no image name, it needs no escape in a URL, and no shell
 * or file system minds it inside a word.
 */
const SLASH = '~';

/** One part of a repository name (distribution-spec, "Pulling manifests"). */
const PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';

// Read from its end: system and attempt are known words, so that whatever is left is the image, whatever it looks like.
const NAME = new RegExp(`^handover-(${PART}(?:${SLASH}${PART})*)-([a-z0-9_]+-linux)-([1-9]\\d{0,8})\\.tar$`);

/**
 * Name of the artifact that hands over `image` for `system`. It holds the attempt, since names are taken for all
 * attempts of a run: a job that runs again would be refused. Throws UserError `handover` when it were too long.
 */
export function formatHandoverName({ image, system, attempt }: HandoverName): string {
  const name = `handover-${image.replaceAll('/', SLASH)}-${system}-${attempt}.tar`;
  if (isArtifactName(name)) return name;
  throw new UserError('handover', `${JSON.stringify(name)} can be no artifact's name`, {
    hint: "Shorten the image's name: the artifact's name, which holds it, may have 255 characters.",
  });
}

/** The reverse of formatHandoverName; undefined for names that it does not make. */
export function parseHandoverName(name: string): HandoverName | undefined {
  const [, image, system, attempt] = NAME.exec(name) ?? [];
  if (image === undefined || system === undefined || !isSystem(system)) return undefined;
  return { image: image.replaceAll(SLASH, '/'), system, attempt: Number(attempt) };
}

/** A handover's artifact and what its name says. */
export interface NamedHandover<A> extends HandoverName {
  readonly artifact: A;
}

/**
 * For each image and system the artifact of the newest attempt, sorted by image and system. Names are unique within a
 * run; should the service list one twice all the same, the later one (larger id) wins.
 */
export function newestHandovers<A extends { readonly name: string; readonly id: number }>(
  artifacts: readonly A[],
): NamedHandover<A>[] {
  const newest = new Map<string, NamedHandover<A>>();
  for (const artifact of artifacts) {
    const name = parseHandoverName(artifact.name);
    if (!name) continue;
    const key = `${name.image} ${name.system}`;
    const other = newest.get(key);
    const older = other && (other.attempt - name.attempt || other.artifact.id - artifact.id);
    if (older === undefined || older < 0) newest.set(key, { ...name, artifact });
  }
  return [...newest.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, handover]) => handover);
}
