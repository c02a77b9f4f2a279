import { z } from 'zod';
import { BELOW_STORE_PATH, STORE_PATH } from './store-path.ts';

export const storePathSchema = z.string().regex(STORE_PATH, 'expected a path such as /nix/store/<hash>-<name>');

const hasNoEscape = (path: string): boolean => !path.split('/').some((part) => part === '..' || part === '.');

/** A store path or something below it, without `..`. */
export const belowStorePathSchema = z
  .string()
  .regex(BELOW_STORE_PATH, 'expected a path in /nix/store')
  .refine(hasNoEscape, 'must not contain . or ..');
