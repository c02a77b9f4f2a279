/** Where Nix keeps all that it builds; images have it under the same path. */
export const STORE = '/nix/store';

/** Nix's own alphabet: digits and lower-case letters without e, o, u and t. */
const HASH = '[0-9abcdfghijklmnpqrsvwxyz]{32}';
const NAME = '[0-9a-zA-Z+._?=-]{1,211}';
export const STORE_PATH = new RegExp(`^${STORE}/${HASH}-${NAME}$`);
/** A store path or something below it. */
export const BELOW_STORE_PATH = new RegExp(`^${STORE}/${HASH}-${NAME}(/.*)?$`);

export const isStorePath = (text: string): boolean => STORE_PATH.test(text);

/** `/nix/store/<hash>-<name>` of a path at or below it. */
export const storePathOf = (path: string): string => path.split('/').slice(0, 4).join('/');

/** The 32 characters that identify a store path. */
export const storeHash = (path: string): string => path.slice(STORE.length + 1, STORE.length + 33);

/** The part that people read: `bash-5.2` of `/nix/store/<hash>-bash-5.2`. */
export const storePathName = (path: string): string => path.slice(STORE.length + 34);
