import type { ByteString } from '../core/bytes.ts';
import { MODE, MTIME } from '../tar/profile.ts';
import type { Attributes, BaseFile, BaseNode, BaseView } from './base-view.ts';
import { LINK_LIMIT } from './walk-path.ts';

interface Folder extends Attributes {
  readonly type: 'directory';
  readonly children: Map<ByteString, Node>;
  /** Whether an entry says so, not only the path of something below. */
  readonly isStated: boolean;
  /** Hides what lower layers have in it. */
  isOpaque: boolean;
}

type Node =
  | Folder
  | BaseFile
  | { readonly type: 'symlink'; readonly target: ByteString }
  /** In a layer: deletes what lower layers have there. */
  | { readonly type: 'whiteout' };

/** One entry of a layer, named from the root. */
export interface BaseEntry {
  readonly path: ByteString;
  /** A device or a pipe is a file here. */
  readonly type: 'directory' | 'symlink' | 'file' | 'hardlink';
  readonly attributes: Attributes;
  /** Where a link leads: of a symbolic one as it stands, of a hard one from the root. */
  readonly target: ByteString;
  /** Of a file that lists accounts. */
  readonly accounts?: BaseFile['accounts'];
}

/** OCI image-spec, layer.md, "Whiteouts". */
export const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

const FILE: BaseFile = { type: 'file' };
const DELETED: Node = { type: 'whiteout' };

const IMPLIED: Attributes = { mode: MODE.rootDirectory, uid: 0, gid: 0, mtime: MTIME };

const folder = (
  { mode, uid, gid, mtime }: Attributes,
  isStated: boolean,
  children = new Map<ByteString, Node>(),
): Folder => ({
  type: 'directory',
  mode,
  uid,
  gid,
  mtime,
  isStated,
  isOpaque: false,
  children,
});

/** Whether what a layer has at a name so far hides what is below it. */
const hidesLower = (node: Node | undefined): boolean =>
  node?.type === 'whiteout' || (node?.type === 'directory' && node.isOpaque);

function namesOf(path: ByteString): ByteString[] {
  const names: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '..') names.pop();
    else if (part !== '' && part !== '.') names.push(part);
  }
  return names;
}

/** One layer, as its entries come; `put` in their order. */
export class BaseLayer {
  readonly root = folder(IMPLIED, false);

  put(entry: BaseEntry): void {
    const names = namesOf(entry.path);
    const name = names.pop();
    if (name === undefined) return;
    const parent = this.#folderAt(names);
    if (name === OPAQUE) {
      parent.isOpaque = true;
    } else if (name.startsWith(WHITEOUT)) {
      const hidden = name.slice(WHITEOUT.length);
      const present = parent.children.get(hidden);
      // What the same layer has under that name stays, whichever of the two comes first.
      if (present?.type === 'directory') present.isOpaque = true;
      else if (!present) parent.children.set(hidden, DELETED);
    } else {
      parent.children.set(name, this.#node(entry, parent.children.get(name)));
    }
  }

  #node({ type, attributes, target, accounts }: BaseEntry, present: Node | undefined): Node {
    if (type === 'symlink') return { type, target };
    if (type === 'hardlink') return this.#at(namesOf(target)) ?? FILE;
    if (type === 'file') return accounts ? { type, accounts } : FILE;
    const made = folder(attributes, true, present?.type === 'directory' ? present.children : undefined);
    made.isOpaque = hidesLower(present);
    return made;
  }

  #at(names: readonly ByteString[]): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of names) node = node?.type === 'directory' ? node.children.get(name) : undefined;
    return node?.type === 'whiteout' ? undefined : node;
  }

  /** Where an entry is unpacked: links of the same layer are followed, those of lower ones are replaced. */
  #folderAt(names: readonly ByteString[], links = 0): Folder {
    let at: Folder = this.root;
    for (const [depth, name] of names.entries()) {
      const present = at.children.get(name);
      if (present?.type === 'symlink' && links < LINK_LIMIT) {
        const from = present.target.startsWith('/') ? [] : names.slice(0, depth);
        const target = namesOf([...from, present.target, ...names.slice(depth + 1)].join('/'));
        return this.#folderAt(target, links + 1);
      }
      const next = present?.type === 'directory' ? present : folder(IMPLIED, false);
      if (next !== present) {
        next.isOpaque = hidesLower(present);
        at.children.set(name, next);
      }
      at = next;
    }
    return at;
  }
}

/** All layers of a base, the lowest first, as a container sees them. */
export class BaseTree {
  readonly #root = folder(IMPLIED, false);

  /** Lays a layer on top; it belongs to the tree then. */
  add(layer: BaseLayer): void {
    overlay(this.#root, layer.root);
  }

  view(name: string): BaseView {
    return { name, node: (path) => this.#node(path) };
  }

  #node(path: ByteString): BaseNode | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path === '' ? [] : path.split('/')) {
      node = node?.type === 'directory' ? node.children.get(name) : undefined;
    }
    if (node?.type === 'whiteout') return undefined;
    if (node?.type !== 'directory') return node;
    const { mode, uid, gid, mtime, children } = node;
    const folders = [...children].flatMap(([name, child]) => (child.type === 'directory' ? [name] : []));
    return { type: 'directory', mode, uid, gid, mtime, folders: new Set(folders) };
  }
}

function overlay(lower: Folder, upper: Folder): void {
  if (upper.isOpaque) lower.children.clear();
  for (const [name, node] of upper.children) {
    const below = lower.children.get(name);
    if (node.type === 'whiteout') {
      lower.children.delete(name);
    } else if (node.type !== 'directory') {
      lower.children.set(name, node);
    } else {
      const merged = folder(
        below?.type === 'directory' && !node.isStated ? below : node,
        true,
        below?.type === 'directory' ? below.children : undefined,
      );
      overlay(merged, node);
      lower.children.set(name, merged);
    }
  }
}
