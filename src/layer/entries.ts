import { type ByteString, fromText } from '../image/bytes.ts';
import type { StoreLayer } from '../image/layer.ts';
import type { RootDirectory, RootNode } from '../image/root-tree.ts';
import { MODE } from '../image/tar-profile.ts';
import { sortedChildren, type TreeNode } from '../image/tree.ts';
import type { TreeSource } from '../image/tree-source.ts';
import { UserError } from '../io/error.ts';
import type { TarEntry } from './tar-entry.ts';

const OWNER = { uid: 0, gid: 0 } as const;

/** The members of a store layer. Each path is listed when its turn comes, so memory does not grow with the layer. */
export function* storeLayerEntries(layer: StoreLayer, source: TreeSource): Generator<TarEntry> {
  yield { type: 'directory', path: 'nix', mode: MODE.rootDirectory, ...OWNER };
  yield { type: 'directory', path: 'nix/store', mode: layer.storeMode, ...OWNER };
  for (const { path } of layer.paths) {
    const tree = source.read(fromText(path));
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
    for (const [name, child] of sortedChildren(node.children)) yield* treeEntries(child, `${path}/${name}`);
  }
}

/** The members of a root layer; / itself has no entry, for it belongs to whoever unpacks. */
export function* rootLayerEntries(root: RootDirectory): Generator<TarEntry> {
  for (const [name, child] of sortedChildren(root.children)) yield* rootEntries(child, name);
}

function* rootEntries(node: RootNode, path: ByteString): Generator<TarEntry> {
  const owner = { uid: node.uid, gid: node.gid };
  if (node.type === 'symlink') {
    yield { type: 'symlink', path, target: node.target, mode: MODE.symlink, ...owner };
  } else if (node.type === 'file') {
    yield {
      type: 'file',
      path,
      mode: node.mode,
      ...owner,
      content: node.content,
      ...(node.xattrs ? { xattrs: node.xattrs } : {}),
    };
  } else {
    yield { type: 'directory', path, mode: node.mode, ...owner };
    for (const [name, child] of sortedChildren(node.children)) yield* rootEntries(child, `${path}/${name}`);
  }
}
