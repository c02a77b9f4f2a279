import type { ByteString } from '../../core/bytes.ts';
import { fromText } from '../../core/bytes.ts';
import { formatRecord, NotRemembered } from '../../definition/base-record.ts';
import type { BaseView } from '../../definition/base-view.ts';
import type { PlannedLayer, RootLayer, StoreLayer } from '../../definition/layer.ts';
import { assembleRoot } from '../../definition/root.ts';
import type { RootDirectory } from '../../definition/root-tree.ts';
import type { TreeSource } from '../../definition/tree-source.ts';
import { nixDatabase } from '../../layer/nix-database.ts';
import { isHere, placedStoreTree } from '../../layer/store-tree.ts';
import type { LayerTree } from '../layer.ts';
import { type BaseFacts, storeOverBase } from './base-facts.ts';
import type { ImagePaths, LeasedPaths } from './image-paths.ts';

/** Store paths that a layer reads. */
export const pathsRead = (layer: PlannedLayer): string[] =>
  (layer.kind === 'store' ? layer.paths : [...layer.copyToRoot, ...layer.replaceable, ...layer.sources]).map(
    (info) => info.path,
  );

/** The content of a store layer. Throws UserError `digest` or `build` as `ImagePaths.lease` does. */
export async function openStorePaths(layer: StoreLayer, paths: ImagePaths): Promise<LayerTree> {
  const { places, release } = await paths.lease(pathsRead(layer));
  const content = layer.paths.map(({ path }) => ({ path, from: fromText(places.get(path) ?? path) }));
  return { content: { kind: 'store', paths: content, storeMode: layer.storeMode, over: layer.over }, close: release };
}

/**
 * Puts the root together, so that a collision in it is found before anything is sent. Throws UserError `definition` or
 * `file`, and what `ImagePaths.lease` throws.
 */
export async function openRoot(
  layer: RootLayer,
  paths: ImagePaths,
  tempDir: string,
  facts: BaseFacts | undefined,
): Promise<LayerTree> {
  const database = layer.database ? await nixDatabase(layer.database.closure, tempDir) : undefined;
  const leases: LeasedPaths[] = [];
  const places = new Map<ByteString, ByteString>();
  const lease = async (wanted: readonly string[]): Promise<void> => {
    const more = await paths.lease(wanted);
    leases.push(more);
    for (const [path, place] of more.places) places.set(fromText(path), fromText(place));
  };
  const close = async (): Promise<void> => {
    await Promise.all(leases.map((each) => each.release()));
  };
  try {
    await lease(pathsRead(layer));
    // Links of these paths may lead to others, which are only then known to be read.
    const linked = new Set(layer.linked.map(({ path }) => path).filter((path) => !isHere(fromText(path))));
    for (;;) {
      const missing = new Set<string>();
      const assemble = (base?: BaseView) =>
        attempt(layer, database, placedStoreTree(places, noting(linked, missing)), base);
      const { answer: root, base } = facts ? await overBase(facts, assemble) : { answer: assemble() };
      if (missing.size === 0) return { content: { kind: 'root', root: root(), places }, base, close };
      await lease([...missing]);
    }
  } catch (error) {
    await close();
    throw error;
  }
}

/** Notes which of the store paths that links may lead to was wanted and could not be read. */
const noting = (linked: ReadonlySet<string>, missing: Set<string>) => (path: string) => {
  if (linked.has(path)) missing.add(path);
};

/** Asks a base, and gives what it said as text: all of it, or, where that is too much, what the store layers need. */
async function overBase<T>(
  facts: BaseFacts,
  question: (base: BaseView) => T,
): Promise<{ readonly answer: T; readonly base: string | undefined }> {
  const { answer, record } = await facts.ask((base) => {
    storeOverBase(base);
    return question(base);
  });
  return { answer, base: formatRecord(record) ?? formatRecord((await facts.ask(storeOverBase)).record) };
}

/** Assembles the root; a failure counts only if nothing that it wanted to read is missing. */
function attempt(
  layer: RootLayer,
  database: Uint8Array | undefined,
  source: TreeSource,
  base: BaseView | undefined,
): () => RootDirectory {
  try {
    const root = assembleRoot(layer, database, source, base);
    return () => root;
  } catch (error) {
    if (error instanceof NotRemembered) throw error;
    return () => {
      throw error;
    };
  }
}
