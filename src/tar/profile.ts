/**
 * The rules by which content becomes tar bytes. Any change that can alter a byte of a layer raises the version:
 * it is part of every layer key, so layers of another profile are never mistaken for equal.
 */
export const TAR_PROFILE_VERSION = 1;

/** Seconds; 1 as in dockerTools: 0 makes some tools believe that the time is missing. */
export const MTIME = 1;

export const MODE = {
  directory: 0o555,
  executable: 0o555,
  file: 0o444,
  symlink: 0o777,
  /** Directories the engine makes outside the store: containers write below them. */
  rootDirectory: 0o755,
  store: 0o755,
  /** The store of an image in which Nix itself runs: builders of another group add paths, but remove only their own. */
  storeWithDatabase: 0o1775,
} as const;
