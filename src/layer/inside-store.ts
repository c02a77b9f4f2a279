import { realpathSync } from 'node:fs';
import { type ByteString, fromText, toPath, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { STORE } from '../definition/store-path.ts';

/** A store path, in the store or where it was unpacked, and what is below it on the way to the last part of a path. */
const BELOW = /^((.*?)\/[0-9a-z]{32}-[^/]+(?:\/.*)?)\/[^/]+$/s;

/** With links followed; undefined when it is not there. */
function realPath(path: ByteString): ByteString | undefined {
  try {
    // Not the one that Node made itself, which looks at each part of the path anew and takes names for UTF-8.
    return realpathSync.native(toPath(path), 'latin1');
  } catch {
    return undefined;
  }
}

/**
 * Throws UserError `file` when the way to `path`, which is below a store path, leads out of the store by a link: Nix
 * checked what is in it, and nothing else of this machine may get into an image. A link at `path` itself is not followed.
 */
export function checkInside(path: ByteString): void {
  const [, folder, store] = BELOW.exec(path) ?? [];
  if (folder === undefined || store === undefined) return;
  const real = realPath(folder);
  const within = [STORE, realPath(store)];
  if (real === undefined || within.some((place) => place !== undefined && real.startsWith(`${place}/`))) return;
  throw new UserError('file', `${toText(path)} leads to ${toText(real)}, which is not in the Nix store`, {
    hint: 'Only content of the store can be in an image.',
  });
}

/**
 * Where a path of the store leads, with all links followed. Throws UserError `file` when it is missing, or leads out of
 * the store: the same promise as `checkInside`, for paths that are opened whole (archives, layouts, lists, programs).
 */
export function pathInStore(path: string): string {
  const real = realPath(fromText(path));
  if (real === undefined) {
    throw new UserError('file', `${path} could not be read: it does not exist, or is a link to nothing`, {
      hint: 'Build the image again, and check the store with `nix-store --verify --check-contents`.',
    });
  }
  const stores = [STORE, realPath(fromText(STORE))];
  if (path.startsWith(`${STORE}/`) && stores.some((store) => store !== undefined && real.startsWith(`${store}/`)))
    return toText(real);
  throw new UserError('file', `${path} leads to ${toText(real)}, which is not in the Nix store`, {
    hint: 'Only content of the store can be in an image.',
  });
}
