import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AssembleError } from './failure.ts';

/** What the package has of a release: the program with its licences, and what people read. */
const CONTENT = ['dist', 'LICENSE', 'README.md', 'CHANGELOG.md'];

const MANIFEST = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  license: z.string(),
  repository: z.object({ type: z.string(), url: z.string() }),
  engines: z.object({ node: z.string() }),
});

/**
 * Writes the npm package of a release tree into `folder`, which must be empty or absent. It is the bundle and has no
 * dependencies, so that `npx nix-images` fetches one file and runs no script. Throws AssembleError for a folder that is not empty.
 */
export const writeNpmPackage = async (tree: string, manifest: string, folder: string): Promise<void> => {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new AssembleError(`${folder} is not empty`);
  const { name, version, description, license, repository, engines } = MANIFEST.parse(JSON.parse(manifest));
  for (const path of CONTENT) await cp(join(tree, path), join(folder, path), { recursive: true });
  const content = {
    ...{ name, version, description, license, repository, type: 'module', engines, os: ['linux', 'darwin'] },
    ...{ bin: { [name]: 'dist/index.js' }, files: CONTENT },
  };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
  const program = await readFile(join(folder, 'dist/index.js'), 'utf8');
  if (!program.startsWith('#!')) throw new AssembleError('dist/index.js has no interpreter line: npm could not run it');
};
