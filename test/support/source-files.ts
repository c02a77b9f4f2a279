import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ROOT } from './root.ts';

/** Not the project's own: installed packages, git's data, results of builds. */
const FOREIGN = new Set(['node_modules', '.git', 'out', 'dist']);

export interface SourceFile {
  /** From the project's root. */
  readonly path: string;
  readonly text: string;
}

/** Every file under `folder` (from the root), sorted, without what is not the project's own. */
export const readTree = async (folder: string): Promise<SourceFile[]> => {
  const files: SourceFile[] = [];
  for (const entry of await readdir(join(ROOT, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (FOREIGN.has(entry.name)) continue;
    if (entry.isDirectory()) files.push(...(await readTree(path)));
    else if (entry.isFile()) files.push({ path: relative('.', path), text: await readFile(join(ROOT, path), 'utf8') });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
};
