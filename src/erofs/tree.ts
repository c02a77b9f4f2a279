import { setImmediate } from 'node:timers/promises';
import { type ByteString, fromText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { dataBlocks, INODE_SLOT, type Inode, inlineBytes, inodeBytes } from './inode.ts';
import { ENTRY_NAME, FS_BLOCK } from './positions.ts';
import { scanTree } from './scan.ts';

/** An entry of the root directory to be: a store path, or a single file that is placed as one is. */
export interface StoreEntry {
  /** Its name there: `<hash>-<name>` of a store path. */
  readonly name: string;
  /** Where on this machine it is read. */
  readonly from: string;
}

/** Inodes that lie together: their blocks, then those of their data. */
interface InodeGroup {
  readonly inodes: readonly Inode[];
  /** First block, counted from the start of the tree's extent. */
  readonly block: number;
  /** Blocks of the inodes, with what stands behind them. */
  readonly blocks: number;
}

/** One entry with everything in it, laid out in blocks of its own whose bytes depend on its content and position alone. */
export interface StoreTree {
  readonly name: string;
  readonly from: ByteString;
  readonly root: Inode;
  readonly groups: readonly InodeGroup[];
  /** Blocks of the extent. */
  readonly blocks: number;
}

/** Blocks of inodes that are filled before their data follows. They are in memory until that is written: 256 KiB. */
const GROUP_BLOCKS = 64;

/** Blocks that are looked through for room for the next inode; more would fill them hardly better. */
const OPEN_BLOCKS = 16;

/**
 * Looks at every entry and lays it out; nothing is opened or written yet. Takes some 200 bytes of memory an inode. Throws
 * UserError `file` for what cannot be read, and `input` for a name that is not one of a store path.
 */
export async function layOut(
  entries: readonly StoreEntry[],
  { signal }: { readonly signal: AbortSignal },
): Promise<StoreTree[]> {
  const trees: StoreTree[] = [];
  for (const { name, from } of entries) {
    signal.throwIfAborted();
    if (!ENTRY_NAME.test(name)) throw new UserError('input', `${name} is not a valid name of a store path`);
    const path = fromText(from);
    const root = scanTree(path, name);
    trees.push({ name, from: path, root, ...inExtent(root) });
    // Scanning blocks, so that signals and timers get their turn between two paths.
    await setImmediate();
  }
  return trees;
}

/** Links to an inode: a directory's are its name, its `.`, and the `..` of each directory in it. */
export const linksOf = ({ kind, children }: Pick<Inode, 'kind' | 'children'>): number =>
  kind === 'directory' ? children.reduce((sum, child) => sum + (child.kind === 'directory' ? 1 : 0), 2) : 1;

/** Depth first, a directory before what is in it. The first inode is at the start of the extent: so a disk tells its positions. */
function* inodesOf(root: Inode): Generator<Inode> {
  yield root;
  for (const child of root.children) yield* inodesOf(child);
}

function inExtent(root: Inode): Pick<StoreTree, 'groups' | 'blocks'> {
  const groups: InodeGroup[] = [];
  let open = new OpenGroup(0);
  for (const inode of inodesOf(root)) {
    if (open.add(inode)) continue;
    groups.push(open.close());
    open = new OpenGroup(open.end);
    open.add(inode);
  }
  groups.push(open.close());
  return { groups, blocks: open.end };
}

/** A group that takes inodes until its blocks are full. */
class OpenGroup {
  readonly #block: number;
  readonly #inodes: Inode[] = [];
  /** Blocks that still have room: where in the extent, and the bytes that are used. */
  readonly #open: { readonly at: number; used: number }[] = [];
  #blocks = 0;
  /** The block behind the group, once it is closed. */
  end = 0;

  constructor(block: number) {
    this.#block = block;
  }

  /** Gives an inode its place; false when there is none left. */
  add(inode: Inode): boolean {
    const fields = { size: inode.size, links: linksOf(inode) };
    const bytes = inodeBytes(fields) + inlineBytes(fields);
    let room = this.#open.find(({ used }) => used + bytes <= FS_BLOCK);
    if (!room) {
      if (this.#blocks === GROUP_BLOCKS) return false;
      room = { at: (this.#block + this.#blocks) * FS_BLOCK, used: 0 };
      this.#blocks += 1;
      this.#open.push(room);
      if (this.#open.length > OPEN_BLOCKS) this.#open.shift();
    }
    inode.offset = room.at + room.used;
    room.used = Math.ceil((room.used + bytes) / INODE_SLOT) * INODE_SLOT;
    if (room.used === FS_BLOCK) this.#open.splice(this.#open.indexOf(room), 1);
    this.#inodes.push(inode);
    return true;
  }

  /** Puts the data behind the inodes. */
  close(): InodeGroup {
    let next = this.#block + this.#blocks;
    for (const inode of this.#inodes) {
      inode.block = next;
      next += dataBlocks({ size: inode.size, links: linksOf(inode) });
    }
    this.end = next;
    return { inodes: this.#inodes, block: this.#block, blocks: this.#blocks };
  }
}
