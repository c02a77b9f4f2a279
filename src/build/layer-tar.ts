import type { Layer } from '../image/layer.ts';
import { assembleRoot } from '../image/root.ts';
import type { BlockPool } from '../layer/block-pool.ts';
import { rootLayerEntries, storeLayerEntries } from '../layer/entries.ts';
import { nixDatabase } from '../layer/nix-database.ts';
import { storeTree } from '../layer/store-tree.ts';
import { tarStream } from '../layer/tar-stream.ts';

/** The bytes of a layer, read when they are asked for into blocks of `pool`. */
export type LayerTar = (pool: BlockPool) => AsyncIterable<Uint8Array>;

/**
 * Gets a layer ready to be written. A root layer is assembled now, so that a collision in it is found before anything
 * is sent. Throws UserError `definition` or `file`.
 */
export async function layerTar(layer: Layer, tempDir: string, signal: AbortSignal): Promise<LayerTar> {
  if (layer.kind === 'store') return (pool) => tarStream(storeLayerEntries(layer, storeTree), signal, pool);
  const database = layer.database ? await nixDatabase(layer.database.closure, tempDir) : undefined;
  const root = assembleRoot(layer, database, storeTree);
  return (pool) => tarStream(rootLayerEntries(root), signal, pool);
}
