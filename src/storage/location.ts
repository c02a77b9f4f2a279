import { UserError } from '../core/error.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import { isFilesPlace } from './files-location.ts';

/** A place that holds images, in skopeo's spelling. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference }
  | { readonly kind: 'oci' | 'oci-archive'; readonly path: string; readonly tag?: string }
  | { readonly kind: 'docker-archive'; readonly path: string; readonly reference?: Reference };

const ALLOWED =
  'docker://REFERENCE, a plain REFERENCE, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REFERENCE]';
// Transports of skopeo and podman that a person may try here; as plain references they would name Docker Hub.
const OTHER_TRANSPORTS = [
  'docker-daemon',
  'containers-storage',
  'sif',
  'ostree',
  'tarball',
  'atomic',
  'nix',
  'http',
  'https',
];
// What skopeo accepts as org.opencontainers.image.ref.name: wider than a tag, so `oci:out:app:1` works.
const REF_NAME = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;

/** Whether a layout may hold an image under this name (image-spec, `annotations.md`, ref.name). */
export const isRefName = (text: string): boolean => REF_NAME.test(text);

const illegal = (value: string, what: string, hint: string): UserError =>
  new UserError('reference', `${JSON.stringify(value)} is not a valid destination: ${what}`, { hint });

/** skopeo splits at the first colon, so a path with a colon cannot be named; we do as it does. */
function splitPath(value: string, rest: string, kind: string): [string, string | undefined] {
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const what = kind === 'oci' ? 'folder' : 'file';
  if (path === '' || path.includes('\0'))
    throw illegal(value, `the ${what} is missing`, `Write ${kind}:${what.toUpperCase()}.`);
  return [path, colon < 0 ? undefined : rest.slice(colon + 1)];
}

function layoutLocation(value: string, kind: 'oci' | 'oci-archive', rest: string): Location {
  const [path, tag] = splitPath(value, rest, kind);
  if (tag === undefined) return { kind, path };
  if (isRefName(tag)) return { kind, path, tag };
  throw illegal(
    value,
    `${JSON.stringify(tag)} is not a valid tag`,
    'What follows the first colon is the tag: letters and digits, with . _ - : @ + or / between them. A path cannot hold a colon.',
  );
}

function dockerArchive(value: string, rest: string): Location {
  const [path, text] = splitPath(value, rest, 'docker-archive');
  if (text === undefined) return { kind: 'docker-archive', path };
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw illegal(value, 'an archive for docker cannot name a digest', 'Write docker-archive:FILE:name:tag.');
  }
  return { kind: 'docker-archive', path, reference };
}

/** Parses where to write or read an image. Throws UserError `reference`. */
export function parseLocation(value: string): Location {
  if (isFilesPlace(value)) {
    throw illegal(
      value,
      'it holds files of disks, not images',
      `Allowed are ${ALLOWED}. Only publish sends disks there.`,
    );
  }
  const [, transport, rest = ''] = /^([a-z][a-z0-9-]*):(.*)$/s.exec(value) ?? [];
  // Without the slashes it is an image of Docker Hub, such as docker:dind.
  if (transport === 'docker' && rest.startsWith('//')) {
    return { kind: 'registry', reference: parseReference(rest.slice(2)) };
  }
  if (transport === 'oci' || transport === 'oci-archive') return layoutLocation(value, transport, rest);
  if (transport === 'docker-archive') return dockerArchive(value, rest);
  if (transport !== undefined && (OTHER_TRANSPORTS.includes(transport) || rest.startsWith('/'))) {
    throw illegal(value, `unknown transport ${transport}:`, `Allowed are ${ALLOWED}.`);
  }
  return { kind: 'registry', reference: parseReference(value) };
}

/** Parses where in a registry an image goes. Throws UserError `reference`, for layouts and archives too. */
export function parseRegistryLocation(value: string): Location & { kind: 'registry' } {
  const destination = parseLocation(value);
  if (destination.kind === 'registry') return destination;
  throw illegal(value, 'not a registry', 'Write docker://REFERENCE or a plain reference, such as ghcr.io/org/app.');
}

/** A place as people pull from it and read it in a report: a registry's without its transport. */
export const withoutTransport = (text: string): string => text.replace(/^docker:\/\//, '');

/** As a person writes it; `parseLocation` reads it back. */
export function formatLocation(destination: Location): string {
  if (destination.kind === 'registry') return `docker://${formatReference(destination.reference)}`;
  const name =
    destination.kind === 'docker-archive'
      ? destination.reference && formatReference(destination.reference)
      : destination.tag;
  return `${destination.kind}:${destination.path}${name === undefined ? '' : `:${name}`}`;
}
