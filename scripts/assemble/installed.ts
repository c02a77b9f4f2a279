import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AssembleError } from './failure.ts';

const LOCK = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      dev: z.boolean().optional(),
      optional: z.boolean().optional(),
      devOptional: z.boolean().optional(),
    }),
  ),
});
const MANIFEST = z.object({ version: z.string() });

const versionOf = async (folder: string): Promise<string> => {
  try {
    return MANIFEST.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))).version;
  } catch {
    return 'nothing';
  }
};

/**
 * Checks that node_modules has what the lock file of the release's source says, for what is bundled and what bundles it.
 * Throws AssembleError otherwise: the release would hold something else than its source asks for.
 */
export const checkInstalled = async (root: string, lockFile: string): Promise<void> => {
  const { packages } = LOCK.parse(JSON.parse(await readFile(lockFile, 'utf8')));
  const tools = new Set(['node_modules/@vercel/ncc', 'node_modules/typescript']);
  const wanted = Object.entries(packages).filter(
    ([path, entry]) => path !== '' && (tools.has(path) || !(entry.dev || entry.optional || entry.devOptional)),
  );
  for (const [path, { version }] of wanted) {
    const found = await versionOf(join(root, path));
    if (found !== version) {
      throw new AssembleError(`${path} should be version ${version} and is ${found}; run npm ci in ${root} first`);
    }
  }
};
