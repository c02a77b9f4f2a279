import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { FolderStore } from '../../src/cache/folder-store.ts';
import type { SaveOutcome } from '../../src/cache/store.ts';
import type { Effects } from '../../src/core/effects.ts';
import type { Link } from './link.ts';

/** Milliseconds that GitHub's client takes for 64 MB beyond the transfer, in proportion to the bytes. */
const CLIENT = 350;
const CLIENT_BYTES = 64_000_000;

/** A folder that answers as GitHub's cache does, as far as time goes. */
export class DistantStore extends FolderStore {
  readonly #link: Link;
  uploads = 0;

  constructor(folder: string, link: Link, world: Pick<Effects, 'log' | 'clock'>) {
    super(folder, undefined, world);
    this.#link = link;
  }

  override async restore(key: string, file: string): Promise<boolean> {
    await this.#link.call();
    if (!(await super.restore(key, file))) return false;
    await this.#transfer(file);
    return true;
  }

  override async save(key: string, file: string): Promise<SaveOutcome> {
    await this.#link.call();
    const outcome = await super.save(key, file);
    if (outcome.kind !== 'saved') return outcome;
    this.uploads += 1;
    await this.#transfer(file);
    await this.#link.call();
    return outcome;
  }

  async #transfer(file: string): Promise<void> {
    const { size } = await stat(file);
    await this.#link.blob(size);
    await setTimeout((CLIENT * size) / CLIENT_BYTES);
  }
}
