import { stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { FolderStore } from '../../src/cache/folder-store.ts';
import type { SaveOutcome } from '../../src/cache/store.ts';
import type { Effects } from '../../src/core/effects.ts';
import { TransferQueue, type Turn } from '../../src/github/cache/transfer-queue.ts';
import type { Link } from './link.ts';

/** Milliseconds until GitHub's client, a process of its own, is ready to be told what to do. */
const START = 130;

/** Milliseconds that it takes between two requests, beyond what they take. */
const PREPARE = 60;

/** Milliseconds that it takes before it asks for the first byte, of an entry whose size it knows: its processor was at work for 26 to 34. */
const READY = 30;

/** Milliseconds that it takes for 64 MB in proportion to the bytes: while they move, until they are in a file, and for tar and zstd beside that. */
const READ = 50;
const SEND = 100;
const WRITE = 20;
const UNPACK = 120;
const CLIENT_BYTES = 64_000_000;

/** A folder that answers as GitHub's cache does, as far as time goes. */
export class DistantStore extends FolderStore {
  readonly #link: Link;
  readonly #queue = new TransferQueue();
  #spare: Promise<void> | undefined;
  uploads = 0;

  constructor(folder: string, link: Link, world: Pick<Effects, 'log' | 'clock'>) {
    super(folder, undefined, world);
    this.#link = link;
  }

  prepare(): void {
    this.#spare ??= setTimeout(START);
  }

  override restore(key: string, file: string): Promise<boolean> {
    return this.#queue.run(async (turn) => {
      const started = this.#spare ?? setTimeout(START);
      this.#spare = undefined;
      await started;
      await this.#link.call();
      if (!(await super.restore(key, file))) return false;
      const { size } = await stat(file);
      // The storage client asks for the size first.
      await setTimeout(PREPARE);
      await this.#link.blob(0);
      await setTimeout(READY);
      await this.#transfer(size, turn, READ + WRITE);
      turn.isOver();
      await setTimeout((UNPACK * size) / CLIENT_BYTES);
      return true;
    });
  }

  override save(key: string, file: string): Promise<SaveOutcome> {
    return this.#queue.run(async (turn) => {
      await setTimeout(START);
      await turn.comes;
      const outcome = await super.save(key, file);
      const { size } = await stat(file);
      await setTimeout((UNPACK * size) / CLIENT_BYTES);
      await this.#link.call();
      if (outcome.kind !== 'saved') return outcome;
      this.uploads += 1;
      await this.#transfer(size, turn, SEND);
      await this.#link.call();
      return outcome;
    });
  }

  async #transfer(size: number, { comes }: Turn, idle: number): Promise<void> {
    await comes;
    await setTimeout((idle * size) / CLIENT_BYTES);
    await this.#link.blob(size);
  }
}
