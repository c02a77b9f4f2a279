import { type ByteString, fromText, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { WHITEOUT } from '../definition/base-tree.ts';
import type { RootDirectory, RootNode } from '../definition/root-tree.ts';
import { sortedChildren, type TreeNode } from '../definition/tree.ts';
import type { TreeSource } from '../definition/tree-source.ts';
import type { Content, TarEntry } from '../tar/entry.ts';
import { MODE } from '../tar/profile.ts';
import type { LayerContent } from './layer-content.ts';
import { type ContentPaths, placeOf } from './store-tree.ts';

type StoreContent = Extract<LayerContent, { kind: 'store' }>;

const OWNER = { uid: 0, gid: 0 } as const;

/**
 * The members of a store layer. Each path is read when its turn comes, so memory does not grow with the layer. Throws
 * UserError `file` for a path that is gone, `definition` for a name that no layer can hold.
 */
export function* storeLayerEntries(layer: StoreContent, source: TreeSource): Generator<TarEntry> {
  const { nix, store } = layer.over;
  yield { type: 'directory', path: 'nix', mode: MODE.rootDirectory, ...OWNER, ...nix };
  yield { type: 'directory', path: 'nix/store', mode: layer.storeMode, ...OWNER, ...store };
  for (const { path, from } of layer.paths) {
    const tree = source.read(from);
    if (!tree) {
      throw new UserError('file', `${path} is not in the store`, {
        hint: 'It was there when the image was planned: do not collect garbage while an image is built.',
      });
    }
    yield* treeEntries(tree, fromText(path).slice(1));
  }
}

function* treeEntries(node: TreeNode, path: ByteString): Generator<TarEntry> {
  if (node.type === 'symlink') {
    yield { type: 'symlink', path, target: node.target, mode: MODE.symlink, ...OWNER };
  } else if (node.type === 'file') {
    const mode = node.executable ? MODE.executable : MODE.file;
    yield { type: 'file', path, mode, ...OWNER, content: { kind: 'path', path: node.source, size: node.size } };
  } else {
    yield { type: 'directory', path, mode: MODE.directory, ...OWNER };
    for (const [name, child] of sortedChildren(node.children)) yield* treeEntries(child, member(path, name));
  }
}

/**
 * @internal The members of a root layer; / itself has no entry, because it belongs to whoever unpacks. Throws UserError `definition`
 * for a name that no layer can hold.
 */
export function* rootLayerEntries(root: RootDirectory, places: ContentPaths = new Map()): Generator<TarEntry> {
  for (const [name, child] of sortedChildren(root.children)) yield* rootEntries(child, member('', name), places);
}

function* rootEntries(node: RootNode, path: ByteString, places: ContentPaths): Generator<TarEntry> {
  const owner = { uid: node.uid, gid: node.gid };
  if (node.type === 'symlink') {
    yield { type: 'symlink', path, target: node.target, mode: MODE.symlink, ...owner };
  } else if (node.type === 'file') {
    yield {
      type: 'file',
      path,
      mode: node.mode,
      ...owner,
      content: placed(node.content, places),
      ...(node.xattrs ? { xattrs: node.xattrs } : {}),
    };
  } else {
    const { mode, mtime } = node;
    yield { type: 'directory', path, mode, ...owner, ...(mtime === undefined ? {} : { mtime }) };
    for (const [name, child] of sortedChildren(node.children)) yield* rootEntries(child, member(path, name), places);
  }
}

const placed = (content: Content, places: ContentPaths): Content =>
  content.kind === 'path' ? { ...content, path: placeOf(content.path, places) } : content;

/** The path of what is called `name` in the directory `path`. */
function member(path: ByteString, name: ByteString): ByteString {
  const full = path === '' ? name : `${path}/${name}`;
  if (!name.startsWith(WHITEOUT)) return full;
  throw new UserError('definition', `/${toText(full)}: a layer cannot hold a file whose name begins with ${WHITEOUT}`, {
    hint: 'OCI layers use such names to delete files of lower layers: rename it, or leave it out of the package.',
  });
}

/** The members of its tar, in their order. Throws as `storeLayerEntries` and `rootLayerEntries` do. */
export const layerEntries = (content: LayerContent, source: TreeSource): Iterable<TarEntry> =>
  content.kind === 'root' ? rootLayerEntries(content.root, content.places) : storeLayerEntries(content, source);
