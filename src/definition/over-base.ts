import { type ByteString, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import type { Attributes, BaseDirectory, BaseView } from './base-view.ts';
import {
  emptyDirectory,
  FOLDERS_LIMIT,
  nodeAt,
  type RootDirectory,
  type RootNode,
  resolveInRoot,
  rootPath,
} from './root-tree.ts';
import { LINK_LIMIT, walkPath } from './walk-path.ts';

type Names = readonly ByteString[];

/** A directory of the result, where it really is, and what the base has there. */
interface Place {
  readonly at: Names;
  readonly directory: RootDirectory;
  readonly base: BaseDirectory | undefined;
}

/** Something of `own` that is put into the result, and its path in `own`. */
interface Moved<Node extends RootNode = RootNode> {
  readonly node: Node;
  readonly path: Names;
}

interface Merging {
  readonly own: RootDirectory;
  readonly base: BaseView;
  readonly root: Place;
}

/**
 * What a layer on top of a base must hold so that a container sees `own` and, beside it, the base: directories that are
 * only implied keep the base's mode, owner and time; what lies behind a link of the base (`bin -> usr/bin`) is written
 * to where that leads. A file or link replaces a file or link of the base. A package's link to a directory merges with
 * a directory of the base.
 *
 * Throws UserError `definition` where one has a directory and the other has not, naming both.
 */
export function overBase(own: RootDirectory, base: BaseView): RootDirectory {
  const result = emptyDirectory(own.origin);
  const there = base.node('');
  const root: Place = { at: [], directory: result, base: there?.type === 'directory' ? there : undefined };
  mergeDirectory(own, [], root, { own, base, root });
  return result;
}

/** Where the base's file of a path is, links followed. Throws UserError `definition` for a loop. */
export function fileInBase(base: BaseView, names: Names): ByteString {
  return resolve(base, [], names.join('/'), { who: base.name, endsInFile: true }).join('/');
}

function mergeDirectory(from: RootDirectory, own: Names, into: Place, merging: Merging): void {
  if (own.length > FOLDERS_LIMIT) {
    const moved = { node: from, path: own.slice(0, 4) };
    throw refusal(moved, merging, 'a loop of links', 'Leave that package out of copyToRoot.');
  }
  for (const [name, node] of from.children) {
    const path = [...own, name];
    if (node.type === 'directory') mergeDirectory(node, path, enter(into, name, { node, path }, merging), merging);
    else mergeLeaf(name, { node, path }, into, merging);
  }
}

/** The place of a directory of `own`; made there if need be. */
function enter(into: Place, name: ByteString, moved: Moved<RootDirectory>, merging: Merging): Place {
  const { node, path } = moved;
  const present = into.base && merging.base.node([...into.at, name].join('/'));
  if (present?.type !== 'symlink') return child(into, name, moved, merging);
  const names = resolve(merging.base, into.at, name, {
    who: describe(node, path),
    endsInFile: false,
    own: merging.own,
  });
  const implied = emptyDirectory(node.origin);
  return names.reduce(
    (place, part, depth) => child(place, part, { node: depth === names.length - 1 ? node : implied, path }, merging),
    merging.root,
  );
}

function child(into: Place, name: ByteString, moved: Moved<RootDirectory>, merging: Merging): Place {
  const { node, path } = moved;
  const at = [...into.at, name];
  const there = into.base && merging.base.node(at.join('/'));
  if (there && there.type !== 'directory') {
    throw refusal(moved, merging, `a ${there.type}`, 'Give what is below it another path.');
  }
  const present = into.directory.children.get(name);
  if (present && present.type !== 'directory') throw collision(path, present, node);
  const directory = present && !node.stated ? present : merged(node, present, there);
  into.directory.children.set(name, directory);
  return { at, directory, base: there };
}

/** A directory as it is stated, and for the rest as it is in the base. */
function merged(node: RootDirectory, present: RootDirectory | undefined, base: Attributes | undefined): RootDirectory {
  const children = present?.children ?? new Map<ByteString, RootNode>();
  if (!base) return { ...node, children };
  const { mode, uid, gid, mtime } = base;
  const { stated } = node;
  return {
    ...node,
    children,
    ...(stated?.mode ? {} : { mode }),
    ...(stated?.owner ? {} : { uid, gid }),
    mtime,
  };
}

function mergeLeaf(
  name: ByteString,
  moved: Moved<Exclude<RootNode, RootDirectory>>,
  into: Place,
  merging: Merging,
): void {
  const { node, path } = moved;
  const linked = into.base && linkedDirectory(node, name, path, merging);
  if (linked && leadsToDirectory(into, name, merging)) {
    const behind = { ...emptyDirectory(node.origin), children: linked.children };
    mergeDirectory(behind, path, enter(into, name, { node: behind, path }, merging), merging);
    return;
  }
  if (into.base?.folders.has(name)) {
    const hint =
      'It would hide what the base has in there: choose another path, or state what is to be in that directory.';
    throw refusal(moved, merging, 'a directory', hint);
  }
  const present = into.directory.children.get(name);
  if (present && (present.type === 'directory' || isStated(present) === isStated(node)) && !isSame(present, node)) {
    throw collision(path, present, node);
  }
  // A stated file wins over a package's.
  if (!present || isStated(node)) into.directory.children.set(name, node);
}

/** The directory that a package's link leads to in the same root; none that holds the link itself. */
function linkedDirectory(node: RootNode, name: ByteString, path: Names, { own }: Merging): RootDirectory | undefined {
  if (node.type !== 'symlink' || !node.origin.startsWith('/nix/store/')) return undefined;
  const folder = path.slice(0, -1);
  const end = resolveInRoot(own, folder, name);
  if (end?.node.type !== 'directory' || end.at.every((part, depth) => part === folder[depth])) return undefined;
  return end.node;
}

/** Whether the base has a directory under a name, or a link to one. */
function leadsToDirectory(into: Place, name: ByteString, { base }: Merging): boolean {
  if (into.base?.folders.has(name)) return true;
  const at = [...into.at, name].join('/');
  if (base.node(at)?.type !== 'symlink') return false;
  return base.node(resolve(base, into.at, name, { who: toText(at), endsInFile: true }).join('/'))?.type === 'directory';
}

const isStated = ({ origin }: RootNode): boolean => origin.startsWith('files.');

const isSame = (a: RootNode, b: RootNode): boolean =>
  a.type === 'symlink' && b.type === 'symlink' && a.target === b.target && a.uid === b.uid && a.gid === b.gid;

/** How a path is looked up in the base. */
interface Resolving {
  /** For messages: what has the path. */
  readonly who: string;
  /** Whether a file may be at its end. */
  readonly endsInFile: boolean;
  /** What goes on top of the base: a link of the base that it replaces is not followed. */
  readonly own?: RootDirectory;
}

/**
 * The names that `path` really means in the base, from the directory `from`. What is not there yet stays as it is written:
 * it will be made. Throws UserError `definition`, naming `who`, for loops and for ways through a file.
 */
function resolve(base: BaseView, from: Names, path: ByteString, { who, endsInFile, own }: Resolving): ByteString[] {
  const names = walkPath(from, path, (here, { links, isLast }) => {
    const node = base.node(here.join('/'));
    if (node?.type === 'file' && !(endsInFile && isLast)) {
      throw new UserError('definition', `${who}: ${rootPath(here)} of ${base.name} is a file, not a directory`, {
        hint: 'Choose another path, or another base.',
      });
    }
    if (node?.type !== 'symlink') return undefined;
    const mine = own && links > 0 ? nodeAt(own, here) : undefined;
    const replaced = mine?.type === 'symlink' ? `a link that ${mine.origin} replaces` : undefined;
    if (links < LINK_LIMIT && !replaced) return node.target;
    throw new UserError('definition', `${who}: ${rootPath(here)} of ${base.name} is ${replaced ?? 'a loop of links'}`, {
      hint: 'Write the path that is meant, without the links of the base.',
    });
  });
  // What loops has thrown.
  return names ?? [];
}

const describe = (node: RootNode, path: Names): string => `${node.origin}: ${rootPath(path)}`;

function refusal({ node, path }: Moved, { base }: Merging, what: string, hint: string): UserError {
  const kind = node.type === 'symlink' ? 'link' : node.type;
  return new UserError(
    'definition',
    `${rootPath(path)} is a ${kind} from ${node.origin}, but ${what.replace('symlink', 'link')} in ${base.name}`,
    { hint },
  );
}

const collision = (path: Names, present: RootNode, node: RootNode): UserError =>
  new UserError(
    'definition',
    `${rootPath(path)} comes from ${present.origin} and, by a link of the base, from ${node.origin}`,
    { hint: 'Leave one of the two out, or give one another path.' },
  );
