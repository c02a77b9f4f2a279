import type { ByteString } from '../image/bytes.ts';
import { fromText } from '../image/bytes.ts';
import type { Layer, RootLayer, StoreLayer } from '../image/layer.ts';
import { assembleRoot } from '../image/root.ts';
import type { RootDirectory } from '../image/root-tree.ts';
import type { LayerContent } from '../layer/layer-content.ts';
import { nixDatabase } from '../layer/nix-database.ts';
import { isHere, type Places, placedStoreTree } from '../layer/store-tree.ts';
import type { ImagePaths, TakenPaths } from './image-paths.ts';

/** A layer whose content can be read now, until it is released. */
export interface ReadyLayer {
  readonly content: LayerContent;
  release(): Promise<void>;
}

/** Store paths that a layer reads. */
export const pathsRead = (layer: Layer): string[] =>
  (layer.kind === 'store' ? layer.paths : [...layer.copyToRoot, ...layer.sources]).map((info) => info.path);

/** Throws UserError `digest` or `build` as `ImagePaths.take` does. */
export async function readyStore(layer: StoreLayer, paths: ImagePaths): Promise<ReadyLayer> {
  const { places, release } = await paths.take(pathsRead(layer));
  const content = layer.paths.map(({ path }) => ({ path, from: fromText(places.get(path) ?? path) }));
  return { content: { kind: 'store', paths: content, storeMode: layer.storeMode }, release };
}

/**
 * Puts the root together, so that a collision in it is found before anything is sent. Throws UserError `definition` or
 * `file`, and what `ImagePaths.take` throws.
 */
export async function readyRoot(layer: RootLayer, paths: ImagePaths, tempDir: string): Promise<ReadyLayer> {
  const database = layer.database ? await nixDatabase(layer.database.closure, tempDir) : undefined;
  const taken: TakenPaths[] = [];
  const places = new Map<ByteString, ByteString>();
  const take = async (wanted: readonly string[]): Promise<void> => {
    const more = await paths.take(wanted);
    taken.push(more);
    for (const [path, place] of more.places) places.set(fromText(path), fromText(place));
  };
  const release = async (): Promise<void> => {
    await Promise.all(taken.map((each) => each.release()));
  };
  try {
    await take(pathsRead(layer));
    // Links of these paths may lead to others, which are only then known to be read.
    const linked = new Set(layer.linked.map(({ path }) => path).filter((path) => !isHere(fromText(path))));
    for (;;) {
      const lacking = new Set<string>();
      const root = attempt(layer, database, places, linked, lacking);
      if (lacking.size === 0) return { content: { kind: 'root', root: root(), places }, release };
      await take([...lacking]);
    }
  } catch (error) {
    await release();
    throw error;
  }
}

/** Assembles the root, and notes what it wanted to read and could not; a failure counts only if there is no such thing. */
function attempt(
  layer: RootLayer,
  database: Uint8Array | undefined,
  places: Places,
  linked: ReadonlySet<string>,
  lacking: Set<string>,
): () => RootDirectory {
  const source = placedStoreTree(places, (path) => {
    if (linked.has(path)) lacking.add(path);
  });
  try {
    const root = assembleRoot(layer, database, source);
    return () => root;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
