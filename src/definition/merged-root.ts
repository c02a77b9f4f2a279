import { type ByteString, fromText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { MODE } from '../tar/profile.ts';
import {
  emptyDirectory,
  FOLDERS_LIMIT,
  type RootDirectory,
  type RootNode,
  resolveInRoot,
  rootPath,
} from './root-tree.ts';
import type { TreeDirectory, TreeFile, TreeNode, TreeSymlink } from './tree.ts';
import { followInStore, type TreeSource } from './tree-source.ts';

/** Names at the top of a store path that speak to Nix's builders and mean nothing in an image. */
const LEFT_OUT = new Set<ByteString>(['nix-support', 'propagated-build-inputs']);

/** Collisions in a message at most. */
const LISTED = 20;

const endless = (at: readonly ByteString[], first: string, second: string): UserError =>
  new UserError(
    'definition',
    `copyToRoot: ${rootPath(at.slice(0, 4))} and what is below it has no end: links of ${first} and ${second} lead into one another`,
    {
      hint: 'Leave one of the two out of copyToRoot.',
    },
  );

/** Two packages that bring different things under one name. */
interface Collision {
  readonly at: readonly ByteString[];
  readonly first: string;
  readonly second: string;
  /** Whether what both bring is known: links may lead to store paths that are not built yet. */
  readonly certain: boolean;
}

interface Merging {
  readonly files: 'link' | 'copy';
  readonly source: TreeSource;
  /** Links that packages bring, judged when the whole tree is known. */
  readonly links: Map<RootNode, TreeSymlink>;
  /** The packages' nodes behind the merged ones, for collisions. */
  readonly behind: Map<RootNode, TreeNode>;
  readonly collisions: Collision[];
  /** Packages whose files give way to those of all other packages. */
  readonly replaceable: ReadonlySet<string>;
}

/**
 * Merges the trees of store paths into one root. Directories merge; files become links into the store, or copies.
 * A package's own relative link is kept where its target is in the merged tree, and leads into the store where it
 * is not. Two packages may bring the same name if both bring the same thing. A link to a directory merges with a
 * directory of another package (`sbin -> bin` beside `sbin/`). Indexes of a package's own files that others have too
 * (`share/info/dir`) are left out, as nixpkgs' buildEnv does. Where the two differ, what is `replaceable` gives way to what is not.
 *
 * Throws UserError `definition` for collisions, naming all.
 */
export function mergeRoot(
  storePaths: readonly string[],
  files: 'link' | 'copy',
  source: TreeSource,
  replaceable: readonly string[] = [],
): RootDirectory {
  const { root, merging } = mergeTrees(storePaths, files, source, replaceable);
  refuse(merging.collisions);
  settleLinks(root, root, [], merging);
  return root;
}

/**
 * Throws as `mergeRoot` would, of store paths that are there before the others are built: only what cannot come out
 * otherwise.
 */
export function checkCollisions(
  storePaths: readonly string[],
  source: TreeSource,
  replaceable: readonly string[] = [],
): void {
  refuse(mergeTrees(storePaths, 'link', source, replaceable).merging.collisions.filter(({ certain }) => certain));
}

function mergeTrees(
  storePaths: readonly string[],
  files: 'link' | 'copy',
  source: TreeSource,
  replaceable: readonly string[],
) {
  // A package that is in both lists is wanted for itself.
  const wanted = new Set(storePaths);
  const rest = replaceable.filter((path) => !wanted.has(path));
  const root = emptyDirectory('copyToRoot');
  const merging: Merging = {
    files,
    source,
    links: new Map(),
    behind: new Map(),
    collisions: [],
    replaceable: new Set(rest),
  };
  for (const storePath of [...storePaths, ...rest]) {
    const tree = source.read(fromText(storePath));
    if (tree?.type !== 'directory') {
      throw new UserError(
        'definition',
        `copyToRoot: ${storePath} is ${tree ? `a ${tree.type}` : 'not there'}, not a directory that can be merged into /`,
        {
          hint: 'List a package, or put a single file into the image with files."/path".source.',
        },
      );
    }
    const children = new Map([...tree.children].filter(([name]) => !LEFT_OUT.has(name)));
    mergeDirectory(root, { ...tree, children }, { at: [], origin: storePath }, merging);
  }
  return { root, merging };
}

/** The path of what is merged, and the package it comes from. */
interface Where {
  readonly at: readonly ByteString[];
  readonly origin: string;
}

/** The index of GNU Info's manuals, which install-info writes for one package alone. */
const isOwnIndex = (path: readonly ByteString[]): boolean => path.at(-1) === 'dir' && path.at(-2) === 'info';

function mergeDirectory(into: RootDirectory, from: TreeDirectory, where: Where, merging: Merging): void {
  const { at, origin } = where;
  if (at.length > FOLDERS_LIMIT) throw endless(at, into.origin, origin);
  for (const [name, node] of from.children) {
    const present = into.children.get(name);
    const path = [...at, name];
    if (isOwnIndex(path)) continue;
    if (!present) {
      into.children.set(name, addNode(node, { at: path, origin }, merging));
    } else {
      into.children.set(name, mergeNodes(present, node, { at: path, origin }, merging));
    }
  }
}

function addNode(node: TreeNode, where: Where, merging: Merging): RootNode {
  const { origin } = where;
  if (node.type === 'directory') {
    const directory = emptyDirectory(origin);
    mergeDirectory(directory, node, where, merging);
    return directory;
  }
  const made =
    node.type === 'file'
      ? rootFile(node, origin, merging.files)
      : { type: 'symlink' as const, uid: 0, gid: 0, origin, target: node.target };
  merging.behind.set(made, node);
  if (node.type === 'symlink') merging.links.set(made, node);
  return made;
}

const rootFile = (file: TreeFile, origin: string, files: 'link' | 'copy'): RootNode =>
  files === 'link'
    ? { type: 'symlink', uid: 0, gid: 0, origin, target: file.source }
    : {
        type: 'file',
        mode: file.executable ? MODE.executable : MODE.file,
        uid: 0,
        gid: 0,
        origin,
        content: { kind: 'path', path: file.source, size: file.size },
      };

function mergeNodes(present: RootNode, node: TreeNode, where: Where, merging: Merging): RootNode {
  const { at, origin } = where;
  const before = merging.behind.get(present);
  if (present.type !== 'directory' && before && sameThing(before, node, merging.source)) return present;
  const left = present.type === 'directory' ? present : directoryBehind(present, at, merging);
  const right = node.type === 'directory' ? node : linkedDirectory(node, merging.source);
  if (!left || !right) {
    if (merging.replaceable.has(origin) && !merging.replaceable.has(present.origin)) return present;
    const certain = [before, node].every((one) => one?.type !== 'symlink' || followInStore(one, merging.source));
    merging.collisions.push({ at, first: present.origin, second: origin, certain });
    return present;
  }
  mergeDirectory(left, right, where, merging);
  return left;
}

/** Whether two nodes are the same file, by content or by links that lead to it (`sh -> bash`), or the same link. */
function sameThing(a: TreeNode, b: TreeNode, source: TreeSource): boolean {
  if (a.type === 'symlink' && b.type === 'symlink' && a.target === b.target) return true;
  const [left, right] = [followInStore(a, source), followInStore(b, source)];
  if (left?.type !== 'file' || right?.type !== 'file') return false;
  if (left.source === right.source) return true;
  return left.executable === right.executable && left.size === right.size && source.sameContent(left, right);
}

/** Turns a link that was merged earlier into the directory it leads to, so that more can be merged into it. */
function directoryBehind(present: RootNode, at: readonly ByteString[], merging: Merging): RootDirectory | undefined {
  const link = merging.links.get(present);
  const tree = link && linkedDirectory(link, merging.source);
  if (!tree) return undefined;
  const directory = emptyDirectory(present.origin);
  mergeDirectory(directory, tree, { at, origin: present.origin }, merging);
  return directory;
}

/** The directory that a package's link leads to, inside its own store path or another; none that holds the link itself. */
function linkedDirectory(node: TreeNode, source: TreeSource): TreeDirectory | undefined {
  const end = node.type === 'symlink' ? followInStore(node, source) : undefined;
  // `X11 -> .` written out would never end.
  return end?.type === 'directory' && !node.source.startsWith(`${end.source}/`) ? end : undefined;
}

/** Points relative links whose target did not come along at their original in the store, where it still holds. */
function settleLinks(root: RootDirectory, directory: RootDirectory, at: readonly ByteString[], merging: Merging): void {
  for (const [name, node] of directory.children) {
    if (node.type === 'directory') settleLinks(root, node, [...at, name], merging);
    const link = merging.links.get(node);
    if (!link || link.target.startsWith('/') || resolveInRoot(root, at, link.target)) continue;
    directory.children.set(name, { type: 'symlink', uid: 0, gid: 0, origin: node.origin, target: link.source });
  }
}

/** Throws UserError `definition` where there are collisions. */
function refuse(collisions: readonly Collision[]): void {
  const [only] = collisions;
  if (only === undefined) return;
  const texts = collisions.map(
    ({ at, first, second }) => `${rootPath(at)} comes from ${first} and, differently, from ${second}`,
  );
  const more = texts.length > LISTED ? [`and ${texts.length - LISTED} more`] : [];
  const list = [...texts.slice(0, LISTED), ...more].join('\n  ');
  throw new UserError(
    'definition',
    `copyToRoot: ${texts.length === 1 ? list : `${texts.length} paths collide:\n  ${list}`}`,
    {
      hint: `Leave one of the two out of copyToRoot; its programs still work by their store path (${only.second}/bin/...).`,
    },
  );
}
