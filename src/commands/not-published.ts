import type { UserError } from '../core/error.ts';

/** An image, one of its forms, or a place of files, that a publish could not do. */
export interface NotPublished {
  readonly name: string;
  readonly error: UserError;
}
