import { UserError } from '../../core/error.ts';
import type { Log } from '../../core/log.ts';
import { type BaseRecord, baseId, NotRemembered, rememberedView } from '../../definition/base-record.ts';
import type { BaseTree } from '../../definition/base-tree.ts';
import { type Attributes, type BaseView, noting } from '../../definition/base-view.ts';
import type { StoreOverBase } from '../../definition/layer.ts';
import type { ExistingImage } from '../existing-image.ts';
import { readBaseTree } from './read-base.ts';

/** What is known of the files of a base, and what can be found out. */
export interface BaseFacts {
  /** Names the content of the base; see `baseId`. */
  readonly id: string;
  /**
   * The answer to a question about the base, and what it was drawn from. The layers of the base are read, once, when
   * what is remembered does not answer it; the question is then asked again. Throws as `readBaseTree` and the question do.
   */
  ask<T>(question: (base: BaseView) => T): Promise<{ readonly answer: T; readonly record: BaseRecord }>;
}

/** The facts about a base, of which records of earlier images may hold some. */
export function baseFacts(
  base: ExistingImage,
  records: readonly BaseRecord[],
  log: Log,
  signal: AbortSignal,
): BaseFacts {
  const id = baseId(base.config.rootfs.diff_ids);
  const name = `fromImage ${base.repository.name}`;
  const remembered = rememberedView(
    name,
    records.filter((record) => record.base === id),
  );
  let reading: Promise<BaseTree> | undefined;
  const readOnce = (): Promise<BaseTree> => {
    reading ??= log.group(`Reading the file names of ${base.repository.name}`, () => readBaseTree(base, signal));
    return reading;
  };
  const askOf = <T>(view: BaseView, question: (base: BaseView) => T) => {
    const { view: noted, asked } = noting(view);
    return { answer: question(noted), record: { base: id, nodes: asked } };
  };
  return {
    id,
    ask: async (question) => {
      try {
        if (!reading) return askOf(remembered, question);
      } catch (error) {
        if (!(error instanceof NotRemembered)) throw error;
      }
      return askOf((await readOnce()).view(name), question);
    },
  };
}

/** How a base has /nix and /nix/store. Throws UserError `definition` where they are not directories. */
export function storeOverBase(base: BaseView): StoreOverBase {
  const nix = directory(base, 'nix');
  const store = nix && directory(base, 'nix/store');
  return { ...(nix ? { nix } : {}), ...(store ? { store } : {}) };
}

function directory(base: BaseView, path: string): Attributes | undefined {
  const node = base.node(path);
  if (!node) return undefined;
  if (node.type === 'directory') return { mode: node.mode, uid: node.uid, gid: node.gid, mtime: node.mtime };
  throw new UserError(
    'definition',
    `/${path} is a ${node.type === 'symlink' ? 'link' : 'file'} in ${base.name}, so the image's store paths cannot be put there`,
    { hint: 'Choose a base in which it is a directory, or in which it does not exist.' },
  );
}
