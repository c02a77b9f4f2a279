import type { ByteString } from '../core/bytes.ts';
import { BlockWriter, type ErofsTarget } from './block-writer.ts';
import { encodeDirectory } from './directory.ts';
import { encodeInode, INODE_SLOT } from './inode.ts';
import { FS_BLOCK, type Positions } from './positions.ts';
import { encodeSuperblock, type Identity } from './superblock.ts';
import { linksOf, type StoreTree } from './tree.ts';
import { writeTree } from './write-tree.ts';

/** What a file system is made of. */
interface Erofs {
  readonly trees: readonly StoreTree[];
  /** Of exactly these trees. */
  readonly positions: Positions;
  readonly identity: Identity;
}

/** Where the root directory's inode stands: in the superblock's block, behind it. */
const ROOT_INODE = 2048;
const ROOT_NID = ROOT_INODE / INODE_SLOT;

/**
 * The root directory is /nix/store. NixOS makes it `root:nixbld`, mode 1775, when it boots; as it is so already, an overlay
 * copies nothing up for that.
 */
const ROOT_MODE = 0o041775;
const NIXBLD = 30000;

/**
 * Writes an EROFS with every tree at its position: uncompressed, in one pass over the files, without a temporary copy, with
 * zeros left as holes. Nothing of it depends on who runs it, when, or in what order the disk lists names.
 *
 * Takes some ten MB of memory beside the trees. Throws UserError `file` for a file that cannot be read or is another than
 * when the tree was laid out, and where the disk is full; what is at `target` is then worth nothing.
 */
export async function writeErofs(
  target: ErofsTarget,
  erofs: Erofs,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const { positions } = erofs;
  const trees = new Map(erofs.trees.map((tree) => [tree.name, tree]));
  if (trees.size !== positions.paths.length) throw new Error('positions are not those of the trees');
  const writer = new BlockWriter(target);
  try {
    await writeRoot(writer, erofs, trees);
    for (const { path, block, blocks } of positions.paths) {
      const tree = trees.get(path);
      if (!tree || tree.blocks > blocks) throw new Error(`positions are not those of the trees: ${path}`);
      await writeTree(writer, tree, { block, parent: ROOT_NID, signal });
    }
    await writer.finish();
  } finally {
    await writer.settle();
  }
}

async function writeRoot(
  writer: BlockWriter,
  { positions, identity }: Erofs,
  trees: ReadonlyMap<ByteString, StoreTree>,
): Promise<void> {
  const children = [...trees.values()].map(({ root }) => root);
  const starts = new Map(positions.paths.map(({ path, block }) => [path, block]));
  const entries = children.map(({ name, kind, offset }) => {
    const at = (starts.get(name) ?? 0) * FS_BLOCK + offset;
    return { name, type: kind, nid: at / INODE_SLOT };
  });
  const content = encodeDirectory(entries, { nid: ROOT_NID, parent: ROOT_NID });
  // Never behind its inode, which has the superblock as neighbour: whole blocks at the place that is reserved.
  await writer.moveTo(positions.root.block);
  await writer.write(content);
  writer.pad();
  const block = Buffer.alloc(FS_BLOCK);
  const links = linksOf({ kind: 'directory', children });
  const size = Math.ceil(content.length / FS_BLOCK) * FS_BLOCK;
  encodeInode(
    block,
    ROOT_INODE,
    { mode: ROOT_MODE, gid: NIXBLD, size, links },
    { nid: ROOT_NID, block: positions.root.block },
  );
  const inodes = [...trees.values()]
    .flatMap(({ groups }) => groups)
    .reduce((sum, { inodes }) => sum + inodes.length, 1);
  encodeSuperblock(block, { blocks: positions.blocks, inodes, rootNid: ROOT_NID }, identity);
  await writer.moveTo(0);
  await writer.write(block);
}
