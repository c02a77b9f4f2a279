import type { ByteString } from '../core/bytes.ts';

/** Who may do what with a file or directory, and since when. */
export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

export interface BaseDirectory extends Attributes {
  readonly type: 'directory';
  /** The names of the directories in it. */
  readonly folders: ReadonlySet<ByteString>;
}

interface BaseSymlink {
  readonly type: 'symlink';
  readonly target: ByteString;
}

export interface BaseFile {
  readonly type: 'file';
  /** Of the files that list accounts only; its text is undefined where it is too large. */
  readonly accounts?: Attributes & { readonly text: ByteString | undefined };
}

export type BaseNode = BaseDirectory | BaseSymlink | BaseFile;

/** What the layers of a base make of one path, as far as a layer on top of them must know. */
export interface BaseView {
  /** The base as messages name it. */
  readonly name: string;
  /** What is at a path (no slash before or after it; `` for the root), no link followed; undefined where there is nothing. */
  node(path: ByteString): BaseNode | undefined;
}

/** The folder and names of the files that list accounts; passwd(5), group(5), shadow(5), gshadow(5). */
const ACCOUNTS = /^(?:.*\/)?etc\/(?:passwd|group|shadow|gshadow)$/;

/** Whether a base's file of this path is kept with its text. */
export const listsAccounts = (path: string): boolean => ACCOUNTS.test(path);

/** A view that notes what it was asked, and what it said. */
export function noting(view: BaseView): {
  readonly view: BaseView;
  readonly asked: Map<ByteString, BaseNode | undefined>;
} {
  const asked = new Map<ByteString, BaseNode | undefined>();
  const node = (path: ByteString): BaseNode | undefined => {
    const found = view.node(path);
    asked.set(path, found);
    return found;
  };
  return { view: { name: view.name, node }, asked };
}
