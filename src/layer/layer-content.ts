import type { ByteString } from '../image/bytes.ts';
import type { StoreOverBase } from '../image/layer.ts';
import type { RootDirectory } from '../image/root-tree.ts';
import type { TreeSource } from '../image/tree-source.ts';
import { rootLayerEntries, storeLayerEntries } from './entries.ts';
import type { Places } from './store-tree.ts';
import type { TarEntry } from './tar-entry.ts';

/** What a layer holds, as plain data that goes to another thread. */
export type LayerContent =
  | {
      readonly kind: 'store';
      /** Store paths in their order, and where each is read: itself, or a copy of it elsewhere on this machine. */
      readonly paths: readonly { readonly path: string; readonly from: ByteString }[];
      readonly storeMode: number;
      readonly over: StoreOverBase;
    }
  | { readonly kind: 'root'; readonly root: RootDirectory; readonly places: Places };

/** The members of its tar, in their order. Throws as `storeLayerEntries` and `rootLayerEntries` do. */
export const layerEntries = (content: LayerContent, source: TreeSource): Iterable<TarEntry> =>
  content.kind === 'root' ? rootLayerEntries(content.root, content.places) : storeLayerEntries(content, source);
