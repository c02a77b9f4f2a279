import { UserError } from '../io/error.ts';
import { type Destination, formatDestination, parseDestination } from '../registry/destination.ts';

/**
 * Where a definition's `fromImage` is. A registry's image must be named by digest, for a tag would make another image
 * of the same definition tomorrow. Throws UserError `definition` or `reference`.
 */
export function baseDestination(fromImage: string): Destination {
  // A bare store path is an archive as dockerTools makes it.
  const destination = parseDestination(fromImage.startsWith('/') ? `docker-archive:${fromImage}` : fromImage);
  if (destination.kind === 'registry') {
    if (destination.reference.digest) return destination;
    throw new UserError('definition', `fromImage: ${fromImage} names no digest`, {
      hint: `Pin it: nix-images inspect ${formatDestination(destination)} prints the digest; write it as NAME@sha256:...`,
    });
  }
  if (destination.path.startsWith('/nix/store/')) return destination;
  throw new UserError('definition', `fromImage: ${fromImage} is not in the Nix store`, {
    hint: 'Name the file as a Nix path, so that it becomes part of the definition.',
  });
}
