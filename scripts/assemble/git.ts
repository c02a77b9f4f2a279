import { join } from 'node:path';
import { AssembleError } from './failure.ts';
import { runProgram } from './program.ts';

/** A file as git keeps it: mode, object, path. */
export interface TreeEntry {
  readonly mode: string;
  readonly object: string;
  readonly path: string;
}

/** The repository seen through an index of its own, so that nobody's staged work is touched. */
export interface Git {
  /** The commit that `ref` names. */
  commitOf(ref: string): Promise<string>;
  treeOf(commit: string): Promise<string>;
  /** A tree of the working folder as it is: tracked and new files, nothing that is ignored. */
  snapshot(): Promise<string>;
  list(tree: string): Promise<TreeEntry[]>;
  /** Writes the files of `tree` into `folder`. */
  checkOut(tree: string, folder: string): Promise<void>;
  /** Stores files, given by their absolute paths, and gives their objects in that order. */
  store(files: readonly string[]): Promise<string[]>;
  writeTree(entries: readonly TreeEntry[]): Promise<string>;
  /** A commit whose id depends on `tree`, `parent` and `message` alone: people and dates are the parent's. */
  commit(tree: string, parent: string, message: string): Promise<string>;
}

const readEntry = (line: string): TreeEntry => {
  const [head = '', path = ''] = line.split('\t');
  const [mode = '', , object = ''] = head.split(' ');
  return { mode, object, path };
};

/** `scratch` is a folder for the temporary index. */
export const createGit = (root: string, scratch: string): Git => {
  const env = { GIT_INDEX_FILE: join(scratch, 'index') };
  // The settings of this machine must not show in what is written: no conversion of line ends, no other encoding.
  const settings = ['-c', 'core.autocrlf=false', '-c', 'i18n.commitEncoding=UTF-8', '-c', 'core.quotePath=false'];
  const git = (args: readonly string[], more: { input?: string; env?: Record<string, string> } = {}) =>
    runProgram(['git', ...settings, ...args], { cwd: root, ...more, env: { ...env, ...more.env } });
  const line = async (args: readonly string[], more?: { input?: string; env?: Record<string, string> }) =>
    (await git(args, more)).trim();
  return {
    commitOf: async (ref) => {
      try {
        return await line(['rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`]);
      } catch (error) {
        throw new AssembleError(`${ref} names no commit of ${root}`, { cause: error });
      }
    },
    treeOf: (commit) => line(['rev-parse', '--verify', `${commit}^{tree}`]),
    snapshot: async () => {
      await git(['read-tree', 'HEAD']);
      await git(['add', '--all', '.']);
      return await line(['write-tree']);
    },
    list: async (tree) =>
      (await git(['ls-tree', '-r', '-z', tree]))
        .split('\0')
        .filter((text) => text !== '')
        .map(readEntry),
    checkOut: async (tree, folder) => {
      await git(['read-tree', tree]);
      await git(['checkout-index', '--all', `--prefix=${folder}/`]);
    },
    store: async (files) => {
      if (files.length === 0) return [];
      const input = files.map((file) => `${file}\n`).join('');
      return (await line(['hash-object', '-w', '--no-filters', '--stdin-paths'], { input })).split('\n');
    },
    writeTree: async (entries) => {
      const input = entries.map(({ mode, object, path }) => `${mode} ${object}\t${path}\0`).join('');
      await git(['read-tree', '--empty']);
      await git(['update-index', '-z', '--add', '--index-info'], { input });
      return await line(['write-tree']);
    },
    commit: async (tree, parent, message) => {
      const shown = await line(['show', '--no-patch', '--date=raw', '--format=%cn%x00%ce%x00%cd', parent]);
      const [name = '', email = '', date = ''] = shown.split('\0');
      const person = (role: string) => ({
        [`GIT_${role}_NAME`]: name,
        [`GIT_${role}_EMAIL`]: email,
        [`GIT_${role}_DATE`]: date,
      });
      return await line(['commit-tree', tree, '-p', parent], {
        input: message,
        env: { ...person('AUTHOR'), ...person('COMMITTER') },
      });
    },
  };
};
