import { z } from 'zod';
import { canonicalJson } from '../core/canonical-json.ts';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';

/** Bytes of a block of the file system. EROFS takes what kernels have as page size; 4 KiB is what all of them mount. */
export const FS_BLOCK = 4096;

/** A run of blocks, counted from the start of the file system. */
export interface BlockRun {
  readonly block: number;
  readonly blocks: number;
}

/** Where one store path lies, or another entry of the root directory. */
export interface Placed extends BlockRun {
  /** Its name in the root directory, without folder: `<hash>-<name>` of a store path. */
  readonly path: string;
}

/**
 * Where everything in a file system lies: published beside the disk, and given to the build of the next one, so that what
 * both hold stays where it is. Block 0, which nothing here covers, is the superblock's.
 */
export interface Positions {
  readonly version: 1;
  /** Blocks of the file system, the last that are used included. */
  readonly blocks: number;
  /** What is reserved for the entries of the root directory. */
  readonly root: BlockRun;
  /** By first block, ascending. */
  readonly paths: readonly Placed[];
}

const VERSION = 1;

/** Blocks of a file system at most: first blocks are 32 bits wide in every inode. */
export const BLOCK_LIMIT = 2 ** 32 - 1;

/** Paths of the largest systems are some ten thousands; more would only fill the memory. */
const PATH_LIMIT = 1_000_000;

/** What may stand in the name of a store path: Nix's own alphabet, and no name with a meaning of its own. */
export const ENTRY_NAME = /^(?!\.\.?$)[0-9a-zA-Z+._?=-]{1,255}$/;

const blockSchema = z.int().min(1).max(BLOCK_LIMIT);
const runSchema = z.object({ block: blockSchema, blocks: blockSchema });
const positionsSchema = z.object({
  version: z.literal(VERSION),
  blocks: blockSchema,
  root: runSchema,
  paths: z
    .array(runSchema.extend({ path: z.string().regex(ENTRY_NAME, 'expected the name of a store path') }))
    .max(PATH_LIMIT),
});

const HINT = 'Give the positions that were published with the previous disk, or none: then everything is placed again.';

/** The file that is published beside a disk: equal positions have equal bytes. */
export const encodePositions = ({ version, blocks, root, paths }: Positions): string =>
  `${canonicalJson({
    version,
    blocks,
    root: { block: root.block, blocks: root.blocks },
    paths: paths.map(({ path, block, blocks }) => ({ path, block, blocks })),
  })}\n`;

/**
 * Reads what `encodePositions` wrote; it comes from outside and may say anything. `what` is how errors call it. Throws
 * UserError `input` for another version, another shape, names that come twice, and runs that overlap or lie outside.
 */
export function decodePositions(source: string | Uint8Array, what: string): Positions {
  const { version } = decodeJson(source, z.object({ version: z.int() }), { code: 'input', what, hint: HINT });
  if (version !== VERSION) {
    throw new UserError('input', `${what} has version ${version}, but only version ${VERSION} is known`, {
      hint: 'A newer release of nix-images wrote it. Update this one, or build without the previous positions.',
    });
  }
  const positions = decodeJson(source, positionsSchema, { code: 'input', what, hint: HINT });
  return checkPositions(positions, what);
}

/** The same positions in order. Throws UserError `input` where they contradict themselves. */
export function checkPositions(positions: Positions, what: string): Positions {
  const paths = [...positions.paths].sort((a, b) => a.block - b.block);
  const seen = new Set<string>();
  for (const { path } of paths) {
    if (seen.has(path)) throw contradiction(what, `${path} comes twice`);
    seen.add(path);
  }
  let last: { readonly name: string; readonly end: number } = { name: 'the superblock', end: 1 };
  for (const { name, block, blocks } of namedRuns({ ...positions, paths })) {
    const end = block + blocks;
    const where = `blocks ${block} to ${end - 1} of ${name}`;
    if (end > positions.blocks) throw contradiction(what, `${where} lie outside its ${positions.blocks} blocks`);
    if (block < last.end) throw contradiction(what, `${where} overlap those of ${last.name}`);
    last = { name, end };
  }
  return { ...positions, paths };
}

const contradiction = (what: string, why: string): UserError =>
  new UserError('input', `${what} is not valid: ${why}`, { hint: HINT });

const namedRuns = ({ root, paths }: Positions): readonly (BlockRun & { readonly name: string })[] =>
  [{ ...root, name: 'the root directory' }, ...paths.map((placed) => ({ ...placed, name: placed.path }))].sort(
    (a, b) => a.block - b.block,
  );

/** All runs of blocks that hold anything, ascending: the superblock's, the root directory's, and those of the paths. */
export const usedRuns = ({ root, paths }: Positions): BlockRun[] =>
  [{ block: 0, blocks: 1 }, root, ...paths.map(({ block, blocks }) => ({ block, blocks }))].sort(
    (a, b) => a.block - b.block,
  );

/** The part of a file system's blocks, from 0 to 1, in which nothing lies: what paths that are gone have left behind. */
export function gapShare(positions: Positions): number {
  const used = usedRuns(positions).reduce((sum, { blocks }) => sum + blocks, 0);
  return 1 - used / positions.blocks;
}

/** From here on the room that gaps take is worth more than one upload of everything. */
const REPACK_SHARE = 0.4;

/** A line for the log that says that a store should be packed again; undefined while its gaps are few. */
export function repackAdvice(positions: Positions): string | undefined {
  const share = gapShare(positions);
  if (share <= REPACK_SHARE) return undefined;
  const size = sizeText(positions.blocks * FS_BLOCK);
  return `${Math.round(100 * share)} % of the store's ${size} are gaps that older paths left; placing everything again (fresh) packs it`;
}
