import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assembleFolder } from '../scripts/assemble/assemble.ts';

const ROOT = join(import.meta.dirname, '..');
const RELEASE = join(ROOT, 'out/bench/release');

/** The program as a release has it, which is what people run; there once `assembleRelease` has ended. */
export const PROGRAM = join(RELEASE, 'dist/index.js');

/** Assembles a release of the working folder as it is. Throws AssembleError when the source is not fit for one. */
export async function assembleRelease(): Promise<void> {
  await rm(RELEASE, { recursive: true, force: true });
  await assembleFolder(ROOT, RELEASE, undefined);
}
