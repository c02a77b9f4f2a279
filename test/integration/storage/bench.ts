import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { copyManifestTree } from '../../../src/storage/copy.ts';
import { parseLocation } from '../../../src/storage/location.ts';
import { openRepository, openSource } from '../../../src/storage/open.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { testDeps } from './kit.ts';

// Over the size up to which blobs are held back, so that chunks and archive slots are met.
export const LARGE = 18 * 1024 * 1024;

/** A new folder for each test of the file; the function names what is in it, and the folder itself without a name. */
export const useFolder = (): ((name?: string) => string) => {
  let folder: TempDir | undefined;
  beforeEach(async () => {
    folder = await uniqueTempDir('registry');
  });
  afterEach(() => folder?.remove());
  return (name = '.') => join(folder?.path ?? '', name);
};

/** Runs skopeo, which needs no policy of the machine then, and throws when it fails. */
export const skopeo = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram('skopeo', ['--insecure-policy', ...args]);
  if (exitCode !== 0) throw new Error(`skopeo ${args.join(' ')}: ${stderr}`);
  return stdout;
};

export const open = (destination: string) => openRepository(parseLocation(destination), testDeps());

export const read = (destination: string) => openSource(parseLocation(destination), testDeps());

/** Reads everything an image refers to, checked on the way, by copying it to a layout; returns its digest. */
export const readAll = async (image: string, layout: string): Promise<string> => {
  const { source, reference } = await read(image);
  const { root } = await copyManifestTree(reference, source, [open(`oci:${layout}`)]);
  await source.close();
  return root.digest;
};
