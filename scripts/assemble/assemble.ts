import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { bundle } from './bundle.ts';
import { AssembleError } from './failure.ts';
import { createGit, type Git, type TreeEntry } from './git.ts';
import { checkInstalled } from './installed.ts';
import { writeNpmPackage } from './npm-package.ts';
import { hasLinks, pageInRelease, placeFiles } from './release-tree.ts';

const PLAIN_FILE = '100644';

const filesBelow = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));

const storeFolder = async (git: Git, folder: string, prefix: string): Promise<TreeEntry[]> => {
  const names = await filesBelow(folder);
  const objects = await git.store(names.map((name) => join(folder, name)));
  return names.map((name, at) => ({ mode: PLAIN_FILE, object: objects[at] ?? '', path: `${prefix}${name}` }));
};

/** Stores the pages that read otherwise in a release. */
const storePages = async (git: Git, source: string, entries: readonly TreeEntry[]): Promise<TreeEntry[]> => {
  const pages = entries.filter(({ path }) => hasLinks(path));
  const files = pages.map(({ path }) => join(source, path));
  for (const file of files) await writeFile(file, pageInRelease(await readFile(file, 'utf8')));
  const objects = await git.store(files);
  return entries.map((entry) => ({ ...entry, object: objects[pages.indexOf(entry)] ?? entry.object }));
};

const releaseTree = async (git: Git, root: string, scratch: string, tree: string): Promise<string> => {
  const source = join(scratch, 'source');
  const dist = join(scratch, 'dist');
  await mkdir(source);
  await git.checkOut(tree, source);
  await checkInstalled(root, join(source, 'package-lock.json'));
  const placed = placeFiles(await git.list(tree)).map(({ from, path }) => ({ ...from, path }));
  await bundle(root, source, dist);
  const pages = await storePages(git, source, placed);
  return await git.writeTree([...pages, ...(await storeFolder(git, dist, 'dist/'))]);
};

const withScratch = async <T>(root: string, work: (git: Git, scratch: string) => Promise<T>): Promise<T> => {
  await mkdir(join(root, 'out'), { recursive: true });
  // Below the checkout, so that the source finds its packages, and in a folder that git ignores.
  const scratch = await mkdtemp(join(root, 'out/.assemble-'));
  try {
    return await work(createGit(root, scratch), scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};

/**
 * Writes the release tree of `ref`, or of the working folder as it is, into `folder`, which must be empty or absent.
 * Throws AssembleError when the source is not fit for a release.
 */
export const assembleFolder = async (root: string, folder: string, ref: string | undefined): Promise<void> => {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0) throw new AssembleError(`${folder} is not empty`);
  await withScratch(root, async (git, scratch) => {
    const source = ref === undefined ? await git.snapshot() : await git.treeOf(await git.commitOf(ref));
    await git.checkOut(await releaseTree(git, root, scratch, source), folder);
  });
};

/** Writes the npm package of the release of `ref`, or of the working folder as it is. Throws AssembleError as `assembleFolder` does. */
export const assembleNpmPackage = async (root: string, folder: string, ref: string | undefined): Promise<void> => {
  const scratch = await mkdtemp(join(tmpdir(), 'assemble-'));
  try {
    await assembleFolder(root, join(scratch, 'tree'), ref);
    await writeNpmPackage(join(scratch, 'tree'), await readFile(join(root, 'package.json'), 'utf8'), folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
};

/**
 * Makes the commit of the release of `ref`, whose parent is `ref`, and gives its id; equal sources give equal ids. No branch
 * and no tag is moved. Throws AssembleError when the source is not fit for a release.
 */
export const assembleCommit = async (root: string, ref: string): Promise<string> =>
  await withScratch(root, async (git, scratch) => {
    const parent = await git.commitOf(ref);
    const tree = await releaseTree(git, root, scratch, await git.treeOf(parent));
    const message = `Assemble the release of ${parent.slice(0, 12)}\n\nMade by scripts/assemble.ts from the parent, which has the source.\n`;
    return await git.commit(tree, parent, message);
  });
