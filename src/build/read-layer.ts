import { fromText } from '../image/bytes.ts';
import type { Layer } from '../image/layer.ts';
import { assembleRoot } from '../image/root.ts';
import type { LayerContent } from '../layer/layer-content.ts';
import { nixDatabase } from '../layer/nix-database.ts';
import { storeTree } from '../layer/store-tree.ts';

/**
 * Gets a layer ready to be written. A root layer is assembled now, so that a collision in it is found before anything
 * is sent. Throws UserError `definition` or `file`.
 */
export async function readLayer(layer: Layer, tempDir: string): Promise<LayerContent> {
  if (layer.kind === 'store') {
    const paths = layer.paths.map(({ path }) => ({ path, from: fromText(path) }));
    return { kind: 'store', paths, storeMode: layer.storeMode };
  }
  const database = layer.database ? await nixDatabase(layer.database.closure, tempDir) : undefined;
  return { kind: 'root', root: assembleRoot(layer, database, storeTree) };
}
