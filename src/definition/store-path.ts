import { z } from 'zod';

/** Where Nix keeps all that it builds; images have it under the same path. */
export const STORE = '/nix/store';

/** Nix's own alphabet: digits and lower-case letters without e, o, u and t. */
const HASH = '[0-9abcdfghijklmnpqrsvwxyz]{32}';
const NAME = '[0-9a-zA-Z+._?=-]{1,211}';
const STORE_PATH = new RegExp(`^${STORE}/${HASH}-${NAME}$`);
const BELOW_STORE_PATH = new RegExp(`^${STORE}/${HASH}-${NAME}(/.*)?$`);

export const isStorePath = (text: string): boolean => STORE_PATH.test(text);

export const storePathSchema = z.string().regex(STORE_PATH, 'expected a path such as /nix/store/<hash>-<name>');

const hasNoEscape = (path: string): boolean => !path.split('/').some((part) => part === '..' || part === '.');

/** A store path or something below it, without `..`. */
export const belowStorePathSchema = z
  .string()
  .regex(BELOW_STORE_PATH, 'expected a path in /nix/store')
  .refine(hasNoEscape, 'must not contain . or ..');

/** `/nix/store/<hash>-<name>` of a path at or below it. */
export const storePathOf = (path: string): string => path.split('/').slice(0, 4).join('/');

/** The 32 characters that identify a store path. */
export const storeHash = (path: string): string => path.slice(STORE.length + 1, STORE.length + 33);

/** The part that people read: `bash-5.2` of `/nix/store/<hash>-bash-5.2`. */
export const storePathName = (path: string): string => path.slice(STORE.length + 34);
