import type { ByteString } from '../core/bytes.ts';

/** A file's bytes: at hand, or in a file of this machine that is read when they are written. */
export type Content =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'path'; readonly path: ByteString; readonly size: number };

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

/** Bytes of an entry's content; 0 for all but files. */
export function contentSize(entry: TarEntry): number {
  if (entry.type !== 'file') return 0;
  return entry.content.kind === 'bytes' ? entry.content.bytes.length : entry.content.size;
}
