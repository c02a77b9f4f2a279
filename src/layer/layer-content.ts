import type { ByteString } from '../core/bytes.ts';
import type { StoreOverBase } from '../definition/layer.ts';
import type { RootDirectory } from '../definition/root-tree.ts';
import type { ContentPaths } from './store-tree.ts';

/** What a layer holds, as plain data that goes to another thread. */
export type LayerContent =
  | {
      readonly kind: 'store';
      /** Store paths in their order, and where each is read: itself, or a copy of it elsewhere on this machine. */
      readonly paths: readonly { readonly path: string; readonly from: ByteString }[];
      readonly storeMode: number;
      readonly over: StoreOverBase;
    }
  | { readonly kind: 'root'; readonly root: RootDirectory; readonly places: ContentPaths };
