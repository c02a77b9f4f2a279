import { type ByteString, compareBytes, fromText, toText } from '../../core/bytes.ts';
import { UserError } from '../../core/error.ts';
import type { TreeNode } from '../../definition/tree.ts';
import { readTree } from '../../layer/store-tree.ts';
import type { ListedMember } from '../../tar/listed-header.ts';
import { MODE } from '../../tar/profile.ts';
import { createMatcher, type ListedPath, type Matcher, type Permission } from './listed-path.ts';

/** A member with the file its content comes from. */
export interface ListedEntry extends ListedMember {
  readonly source: ByteString;
}

/** A member with what permissions say of it. */
type Permitted = (entry: ListedEntry) => ListedEntry;

/** Members of one layer: the largest closures have half a million files, and each costs memory here. */
const MEMBERS_LIMIT = 2_000_000;

/** A place in the layer; those that no listed path names are plain directories. */
interface Place {
  readonly children: Map<ByteString, Place>;
  found?: { readonly node: TreeNode; readonly permitted: Permitted };
}

const emptyPlace = (): Place => ({ children: new Map() });

const OWNER = { uid: 0, gid: 0, uname: 'root', gname: 'root' } as const;

/**
 * The members of a layer that nix2container lists by store paths, in its order and with its names: each path is walked,
 * every name below it rewritten, and the whole then sorted by the bytes of each name. Throws UserError `file` for a path
 * that is gone, or a name that would lead out of the image.
 */
export function listedEntries(paths: readonly ListedPath[]): readonly ListedEntry[] {
  const root = emptyPlace();
  const matcher = createMatcher();
  let members = 0;
  for (const path of paths) {
    const tree = readTree(fromText(path.path));
    if (!tree) {
      throw new UserError('file', `${path.path} is not in the store, though a layer of the image lists it`, {
        hint: 'Build the image again.',
      });
    }
    const nodes = [...nodesBelow(tree)];
    members += nodes.length;
    if (members > MEMBERS_LIMIT) {
      throw new UserError('file', `a layer of the image lists more than ${MEMBERS_LIMIT} files, up to ${path.path}`, {
        hint: 'Does it list a path many times? Build the image again, in more layers.',
      });
    }
    addNodes(root, nodes, path, matcher);
  }
  return [...entriesBelow('', root)];
}

function* nodesBelow(node: TreeNode): Generator<TreeNode> {
  yield node;
  if (node.type === 'directory') for (const child of node.children.values()) yield* nodesBelow(child);
}

function addNodes(root: Place, nodes: readonly TreeNode[], path: ListedPath, matcher: Matcher): void {
  const matched = matcher.run(path, () =>
    nodes.map((node) => ({
      node,
      target: path.rewrite(node.source),
      permitted: permitted(node.source, path.permissions),
    })),
  );
  for (const { target, ...found } of matched) if (target !== '') placeAt(root, target).found = found;
}

function placeAt(root: Place, target: ByteString): Place {
  const parts = target.split('/').filter((part) => part !== '' && part !== '.');
  if (!target.startsWith('/') || parts.includes('..')) {
    throw new UserError(
      'file',
      `a rewrite of the image gives ${JSON.stringify(toText(target))}, which is not a path in it`,
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
}

function* entriesBelow(base: ByteString, place: Place): Generator<ListedEntry> {
  const sorted = [...place.children].sort(([a], [b]) => compareBytes(a, b));
  for (const [name, child] of sorted) {
    const path = base === '' || base === '/' ? `/${name}` : `${base}/${name}`;
    yield entryOf(path, child);
    yield* entriesBelow(path, child);
  }
}

function entryOf(name: ByteString, { found }: Place): ListedEntry {
  const plain = { name, link: '', size: 0, source: '', ...OWNER } as const;
  if (!found) return { ...plain, type: 'directory', mode: MODE.rootDirectory };
  return found.permitted({ ...plain, ...contentOf(found.node) });
}

function contentOf(node: TreeNode): Pick<ListedEntry, 'type' | 'link' | 'size' | 'mode' | 'source'> {
  const common = { type: node.type, link: '', size: 0, source: node.source };
  if (node.type === 'symlink') return { ...common, link: node.target, mode: MODE.symlink };
  if (node.type === 'directory') return { ...common, mode: MODE.directory };
  return { ...common, size: node.size, mode: node.executable ? MODE.executable : MODE.file };
}

/** What the permissions whose pattern fits make of a member, one after the other; ids are always set by one that fits. */
function permitted(source: ByteString, permissions: readonly Permission[]): Permitted {
  const fitting = permissions.filter(({ matches }) => matches(source));
  return (entry) => {
    let at = entry;
    for (const { matches: _, orMode, ...values } of fitting) {
      at = { ...at, ...values };
      at = { ...at, mode: at.mode | orMode };
    }
    return at;
  };
}
