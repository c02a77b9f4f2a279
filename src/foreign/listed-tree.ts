import { type ByteString, compareBytes, fromText, toText } from '../image/bytes.ts';
import { MODE } from '../image/tar-profile.ts';
import type { TreeNode } from '../image/tree.ts';
import { UserError } from '../io/error.ts';
import { readTree } from '../layer/store-tree.ts';
import type { ListedMember } from './listed-header.ts';
import type { ListedPath, Permission } from './listed-path.ts';

/** A member with the file its content comes from. */
export interface ListedEntry extends ListedMember {
  readonly source: ByteString;
}

/** A place in the layer; those that no listed path names are plain directories. */
interface Place {
  readonly children: Map<ByteString, Place>;
  found?: { readonly node: TreeNode; readonly permissions: readonly Permission[] };
}

const emptyPlace = (): Place => ({ children: new Map() });

const OWNER = { uid: 0, gid: 0, uname: 'root', gname: 'root' } as const;

/**
 * The members of a layer that nix2container lists by store paths, in its order and with its names: each path is walked,
 * every name below it rewritten, and the whole then sorted by the bytes of each name. Throws UserError `file` for a path
 * that is gone, or a name that would lead out of the image.
 */
export const listedEntries = (paths: readonly ListedPath[]): readonly ListedEntry[] => {
  const root = emptyPlace();
  for (const path of paths) {
    const tree = readTree(fromText(path.path));
    if (!tree) {
      throw new UserError('file', `${path.path} is not in the store, though a layer of the image lists it`, {
        hint: 'Build the image again.',
      });
    }
    addTree(root, tree, path);
  }
  return [...entriesBelow('', root)];
};

const addTree = (root: Place, node: TreeNode, path: ListedPath): void => {
  const target = path.rewrite(node.source);
  if (target !== '') {
    placeAt(root, target).found = { node, permissions: path.permissions };
  }
  if (node.type === 'directory') for (const child of node.children.values()) addTree(root, child, path);
};

const placeAt = (root: Place, target: ByteString): Place => {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  if (!target.startsWith('/') || parts.includes('..')) {
    throw new UserError(
      'file',
      `a rewrite of the image gives ${JSON.stringify(toText(target))}, which is no path in it`,
      {
        hint: 'Rewritten paths are absolute and without `..`.',
      },
    );
  }
  let at = root.children.get('') ?? emptyPlace();
  root.children.set('', at);
  for (const part of parts) {
    const next = at.children.get(part) ?? emptyPlace();
    at.children.set(part, next);
    at = next;
  }
  return at;
};

function* entriesBelow(base: ByteString, place: Place): Generator<ListedEntry> {
  const sorted = [...place.children].sort(([a], [b]) => compareBytes(a, b));
  for (const [name, child] of sorted) {
    const path = base === '' || base === '/' ? `/${name}` : `${base}/${name}`;
    yield entryOf(path, child);
    yield* entriesBelow(path, child);
  }
}

const entryOf = (name: ByteString, { found }: Place): ListedEntry => {
  const plain = { name, link: '', size: 0, source: '', ...OWNER } as const;
  if (!found) return { ...plain, type: 'directory', mode: MODE.rootDirectory };
  return permitted({ ...plain, ...contentOf(found.node) }, found.permissions);
};

const contentOf = (node: TreeNode): Pick<ListedEntry, 'type' | 'link' | 'size' | 'mode' | 'source'> => {
  const common = { type: node.type, link: '', size: 0, source: node.source };
  if (node.type === 'symlink') return { ...common, link: node.target, mode: MODE.symlink };
  if (node.type === 'directory') return { ...common, mode: MODE.directory };
  return { ...common, size: node.size, mode: node.executable ? MODE.executable : MODE.file };
};

/** With what the permissions whose pattern fits say, one after the other; ids are always set by one that fits. */
const permitted = (entry: ListedEntry, permissions: readonly Permission[]): ListedEntry => {
  let at = entry;
  for (const { matches, orMode, ...values } of permissions) {
    if (!matches(entry.source)) continue;
    at = { ...at, ...values };
    at = { ...at, mode: at.mode | orMode };
  }
  return at;
};
