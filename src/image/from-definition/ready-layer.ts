import type { ByteString } from '../../core/bytes.ts';
import { fromText } from '../../core/bytes.ts';
import { formatRecord, NotRemembered } from '../../definition/base-record.ts';
import type { BaseView } from '../../definition/base-view.ts';
import type { Layer, RootLayer, StoreLayer } from '../../definition/layer.ts';
import { assembleRoot } from '../../definition/root.ts';
import type { RootDirectory } from '../../definition/root-tree.ts';
import type { TreeSource } from '../../definition/tree-source.ts';
import type { LayerContent } from '../../layer/layer-content.ts';
import { nixDatabase } from '../../layer/nix-database.ts';
import { isHere, placedStoreTree } from '../../layer/store-tree.ts';
import { type BaseFacts, storeOverBase } from './base-facts.ts';
import type { ImagePaths, TakenPaths } from './image-paths.ts';

/** A layer whose content can be read now, until it is released. */
export interface ReadyLayer {
  readonly content: LayerContent;
  /** What of its base the layer depends on, as text; see `BaseRecord`. */
  readonly base?: string | undefined;
  release(): Promise<void>;
}

/** Store paths that a layer reads. */
export const pathsRead = (layer: Layer): string[] =>
  (layer.kind === 'store' ? layer.paths : [...layer.copyToRoot, ...layer.replaceable, ...layer.sources]).map(
    (info) => info.path,
  );

/** Throws UserError `digest` or `build` as `ImagePaths.take` does. */
export async function readyStore(layer: StoreLayer, paths: ImagePaths): Promise<ReadyLayer> {
  const { places, release } = await paths.take(pathsRead(layer));
  const content = layer.paths.map(({ path }) => ({ path, from: fromText(places.get(path) ?? path) }));
  return { content: { kind: 'store', paths: content, storeMode: layer.storeMode, over: layer.over }, release };
}

/**
 * Puts the root together, so that a collision in it is found before anything is sent. Throws UserError `definition` or
 * `file`, and what `ImagePaths.take` throws.
 */
export async function readyRoot(
  layer: RootLayer,
  paths: ImagePaths,
  tempDir: string,
  facts: BaseFacts | undefined,
): Promise<ReadyLayer> {
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
      const assemble = (base?: BaseView) =>
        attempt(layer, database, placedStoreTree(places, missed(linked, lacking)), base);
      const { answer: root, base } = facts ? await overBase(facts, assemble) : { answer: assemble() };
      if (lacking.size === 0) return { content: { kind: 'root', root: root(), places }, base, release };
      await take([...lacking]);
    }
  } catch (error) {
    await release();
    throw error;
  }
}

/** Notes which of the store paths that links may lead to was wanted and could not be read. */
const missed = (linked: ReadonlySet<string>, lacking: Set<string>) => (path: string) => {
  if (linked.has(path)) lacking.add(path);
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
