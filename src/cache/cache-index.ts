import { z } from 'zod';
import { storePathSchema } from '../definition/store-path-schema.ts';
import { isPackKey } from './keys.ts';

/** The version that is written. One that is not read is left alone: see `decodeIndex`. */
export const INDEX_VERSION = 1;

/**
 * What an index may hold. 100,000 paths are ten times nixpkgs' largest systems; packs of 64 MB are 640 GB. They keep
 * reading an index within 200 MB of memory, whoever wrote it.
 */
const LIMITS = { packs: 10_000, paths: 100_000, references: 5_000, pieces: 2_000, closures: 5_000, text: 200 } as const;

const sizeSchema = z.int().nonnegative();

const packSchema = z.object({
  key: z.string().refine(isPackKey, 'expected the key of a pack'),
  bytes: sizeSchema.positive(),
  /** Of the whole pack, hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const pieceSchema = z.object({
  /** Its place in the index's list of packs. */
  pack: sizeSchema,
  offset: sizeSchema,
  length: sizeSchema.positive(),
});

const textSchema = z.string().min(1).max(LIMITS.text);

const pathSchema = z.object({
  path: storePathSchema,
  narHash: z.string().regex(/^sha256-[0-9A-Za-z+/]{43}=$/, 'expected sha256- and 32 bytes in base 64'),
  narSize: sizeSchema.positive(),
  references: z.array(storePathSchema).max(LIMITS.references),
  deriver: storePathSchema.optional(),
  /** How long its derivation took to build, in seconds, parts of them too. */
  seconds: z.number().nonnegative().max(1e7),
  /** The path's zstd frame, in order; several where it goes from one pack to the next. */
  pieces: z.array(pieceSchema).min(1).max(LIMITS.pieces),
  system: textSchema,
  /** The image that needs it; undefined where several do, or none. */
  image: textSchema.optional(),
  /** Whether nothing else that is cached refers to it. Leaves change more often than others. */
  isLeaf: z.boolean(),
  /** When a job last needed it, in milliseconds since 1970. */
  used: sizeSchema,
});

/** What of the cached paths an image of one system needed when it was last built. */
const closureSchema = z.object({
  system: textSchema,
  image: textSchema,
  /** Milliseconds since 1970. */
  at: sizeSchema,
  paths: z.array(storePathSchema).max(LIMITS.paths),
});

const isWithinPacks = ({ packs, paths }: Pick<CacheIndex, 'packs' | 'paths'>): boolean =>
  paths.every(({ pieces }) =>
    pieces.every(({ pack, offset, length }) => offset + length <= (packs[pack]?.bytes ?? Number.NEGATIVE_INFINITY)),
  );

const hasEachOnce = ({ packs, paths }: Pick<CacheIndex, 'packs' | 'paths'>): boolean =>
  new Set(packs.map(({ key }) => key)).size === packs.length &&
  new Set(paths.map(({ path }) => path)).size === paths.length;

export const cacheIndexSchema = z
  .object({
    version: z.literal(INDEX_VERSION),
    packs: z.array(packSchema).max(LIMITS.packs),
    paths: z.array(pathSchema).max(LIMITS.paths),
    closures: z.array(closureSchema).max(LIMITS.closures),
  })
  .refine(hasEachOnce, 'a pack or path is there twice')
  .refine(isWithinPacks, 'a piece is outside of its pack');

export type CachedPack = z.infer<typeof packSchema>;
export type Piece = z.infer<typeof pieceSchema>;
export type CachedPath = z.infer<typeof pathSchema>;
export type CachedClosure = z.infer<typeof closureSchema>;

/** What is cached: the packs, the paths in them, and which of them the images need now. */
export interface CacheIndex {
  readonly version: typeof INDEX_VERSION;
  readonly packs: readonly CachedPack[];
  readonly paths: readonly CachedPath[];
  readonly closures: readonly CachedClosure[];
}

export const EMPTY_INDEX: CacheIndex = { version: INDEX_VERSION, packs: [], paths: [], closures: [] };

/** Bytes of a path's frame. */
export const packedSize = ({ pieces }: Pick<CachedPath, 'pieces'>): number =>
  pieces.reduce((sum, { length }) => sum + length, 0);
