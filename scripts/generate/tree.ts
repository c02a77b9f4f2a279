import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandLoaders } from '../../src/host/command.ts';
import { GENERATED_NOTE } from './action.ts';
import { type Files, renderFiles } from './files.ts';
import { MARKED_SOURCES } from './marked-pages.ts';

/** Where a file or folder does not exist, `otherwise`. */
const ifThere = async <T>(read: Promise<T>, otherwise: T): Promise<T> => {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
};

const readText = (root: string, path: string): Promise<string | undefined> =>
  ifThere<string | undefined>(readFile(join(root, path), 'utf8'), undefined);

/** What `npm run generate` has to do. */
export interface Changes {
  /** Files that are missing or differ, with what they should hold. */
  readonly stale: Files;
  /** Folders of generated actions that have no command any more. */
  readonly orphans: readonly string[];
}

const isOrphan = async (root: string, name: string, loaders: CommandLoaders): Promise<boolean> => {
  const text = await readText(root, `actions/${name}/action.yml`);
  return text?.startsWith(GENERATED_NOTE) === true && !Object.hasOwn(loaders, name);
};

/** Compares what the source generates with what is under `root`. */
export const compareTree = async (root: string, loaders: CommandLoaders): Promise<Changes> => {
  const commands = await Promise.all(Object.values(loaders).map((load) => load()));
  const texts = await Promise.all(MARKED_SOURCES.map((path) => readText(root, path)));
  const files = renderFiles(commands, (path) => texts[MARKED_SOURCES.indexOf(path)]);
  const stale: Record<string, string> = {};
  for (const [path, text] of Object.entries(files)) {
    if ((await readText(root, path)) !== text) stale[path] = text;
  }
  const orphans: string[] = [];
  for (const name of await ifThere(readdir(join(root, 'actions')), [])) {
    if (await isOrphan(root, name, loaders)) orphans.push(`actions/${name}`);
  }
  return { stale, orphans };
};
