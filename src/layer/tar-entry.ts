import type { ByteString } from '../image/bytes.ts';
import type { Content } from '../image/root-tree.ts';

interface Common {
  /** Without leading or trailing slash. */
  readonly path: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** One member of a layer's tar, in the order they are written. */
export type TarEntry =
  /** `mtime` in seconds since 1970, where it is not that of all entries. */
  | (Common & { readonly type: 'directory'; readonly mtime?: number })
  | (Common & { readonly type: 'symlink'; readonly target: ByteString })
  | (Common & { readonly type: 'file'; readonly content: Content; readonly xattrs?: ReadonlyMap<string, Uint8Array> });
