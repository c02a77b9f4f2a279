import { type ByteString, fromText } from '../../../src/core/bytes.ts';
import { nodeAt, type RootDirectory, type RootNode } from '../../../src/definition/root-tree.ts';
import type { TreeNode } from '../../../src/definition/tree.ts';
import type { TreeSource } from '../../../src/definition/tree-source.ts';

/** A package's tree as a test writes it: text is a file, `{ link }` a symlink, `{ run }` an executable. */
export type Sketch = string | Link | Executable | Directory;
interface Link {
  readonly link: string;
}
interface Executable {
  readonly run: string;
}
interface Directory {
  readonly dir: Readonly<Record<string, Sketch>>;
}

function node(path: ByteString, sketch: Sketch, contents: Map<string, string>): TreeNode {
  if (typeof sketch === 'string') return file(path, sketch, false, contents);
  if ('run' in sketch) return file(path, sketch.run, true, contents);
  if ('link' in sketch) return { type: 'symlink', source: path, target: fromText(sketch.link) };
  const children = Object.entries(sketch.dir).map(([name, child]): [ByteString, TreeNode] => {
    const bytes = fromText(name);
    return [bytes, node(`${path}/${bytes}`, child, contents)];
  });
  return { type: 'directory', source: path, children: new Map(children) };
}

function file(path: ByteString, text: string, executable: boolean, contents: Map<string, string>): TreeNode {
  contents.set(path, text);
  return { type: 'file', source: path, size: Buffer.byteLength(text), executable };
}

/** A TreeSource over packages that exist only here, keyed by their store path. */
export function sketchSource(packages: Readonly<Record<string, Sketch>>): TreeSource {
  const contents = new Map<string, string>();
  const trees = new Map(Object.entries(packages).map(([path, sketch]) => [path, node(path, sketch, contents)]));
  const read = (path: ByteString): TreeNode | undefined => {
    const [storePath, ...names] = [path.split('/').slice(0, 4).join('/'), ...path.split('/').slice(4)];
    let at = trees.get(storePath ?? '');
    for (const name of names) at = at?.type === 'directory' ? at.children.get(name) : undefined;
    return at;
  };
  return { read, sameContent: (a, b) => contents.get(a.source) === contents.get(b.source) };
}

/** A legal store path for a name. */
export const storePath = (name: string, digit = '0'): string => `/nix/store/${digit.repeat(32)}-${name}`;

/** The node at an absolute path, no link followed. */
export const rootNodeAt = (root: RootDirectory, path: string): RootNode | undefined =>
  nodeAt(root, path.split('/').filter(Boolean).map(fromText));
