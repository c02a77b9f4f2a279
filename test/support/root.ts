import { join } from 'node:path';

/** The checkout that is tested. */
export const ROOT = join(import.meta.dirname, '../..');
