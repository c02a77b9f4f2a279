import { fromText } from '../../../src/core/bytes.ts';
import { BaseLayer, BaseTree } from '../../../src/definition/base-tree.ts';
import type { BaseView } from '../../../src/definition/base-view.ts';
import type { RootDirectory, RootNode } from '../../../src/definition/root-tree.ts';

/** A time that no other entry has, to see where it goes. */
export const BASE_TIME = 1_700_000_000;

/**
 * A layer as lines: `tmp/ 1777 0:0`, `bin -> usr/bin`, `again => usr/bin/sh` (a hard link), `etc/passwd = TEXT` (accounts),
 * `usr/bin/sh` (a file, whiteouts too).
 */
export type LayerSketch = readonly string[];

const entryOf = (line: string): Parameters<BaseLayer['put']>[0] => {
  const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: BASE_TIME };
  const of = (path: string, more: object) => ({
    path: fromText(path),
    type: 'file' as const,
    attributes,
    target: '',
    ...more,
  });
  const [, link, arrow, target] = /^(\S+) (->|=>) (\S+)$/.exec(line) ?? [];
  if (link !== undefined) {
    return of(link, { type: arrow === '->' ? 'symlink' : 'hardlink', target: fromText(target ?? '') });
  }
  const [, accounts, text] = /^(\S+) = (.*)$/s.exec(line) ?? [];
  if (accounts !== undefined) {
    return of(accounts, { accounts: { ...attributes, mode: 0o640, gid: 42, text: fromText(text ?? '') } });
  }
  const [, directory, mode = '755', uid = '0', gid = '0'] = /^(\S+)\/(?: (\d+) (\d+):(\d+))?$/.exec(line) ?? [];
  if (directory === undefined) return of(line, {});
  const owned = { ...attributes, mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) };
  return of(directory, { type: 'directory', attributes: owned });
};

/** A base of layers, the lowest first. */
export function baseOf(...layers: LayerSketch[]): BaseView {
  const tree = new BaseTree();
  for (const lines of layers) {
    const layer = new BaseLayer();
    for (const line of lines) layer.put(entryOf(line));
    tree.add(layer);
  }
  return tree.view('fromImage base');
}

/** What a root layer writes, a line an entry; a time only where it is the base's. */
export function linesOf(root: RootDirectory, at = ''): string[] {
  return [...root.children]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, node]) => [
      lineOf(node, `${at}/${name}`),
      ...(node.type === 'directory' ? linesOf(node, `${at}/${name}`) : []),
    ]);
}

const lineOf = (node: RootNode, path: string): string => {
  if (node.type === 'symlink') return `${path} -> ${node.target}`;
  const owned = `${node.mode.toString(8)} ${node.uid}:${node.gid}`;
  if (node.type === 'file') return `${path} ${owned}`;
  return `${path}/ ${owned}${node.mtime === BASE_TIME ? ' then' : ''}`;
};
