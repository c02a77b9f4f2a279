import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FinishInput, finishCache } from '../../../src/cache/finish.ts';
import type { HouseWorld } from '../../../src/cache/house.ts';
import { restoreIndex } from '../../../src/cache/index-store.ts';
import type { NewPath } from '../../../src/cache/new-path.ts';
import { checkFrame, restorePack } from '../../../src/cache/pack-reader.ts';
import { type SaveInput, saveCache } from '../../../src/cache/save.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';
import { MemoryStore } from './memory-store.ts';
import { storePath } from './sample.ts';

/** NARs of paths that were "built", by path. */
export class Builds {
  readonly nars = new Map<string, Buffer>();

  /** Random bytes, so that packs have the size of what is in them. */
  build(name: string, size: number, rest: Partial<NewPath> = {}): NewPath {
    const nar = randomBytes(size);
    const path = storePath(name);
    this.nars.set(path, nar);
    return {
      path,
      narHash: `sha256-${createHash('sha256').update(nar).digest('base64')}`,
      narSize: size,
      references: [],
      seconds: 10,
      system: 'x86_64-linux',
      isLeaf: false,
      ...rest,
    };
  }

  readonly readNar: SaveInput['readNar'] = async (path, use) => {
    const nar = this.nars.get(path) ?? Buffer.alloc(0);
    await use(
      (async function* () {
        for (let at = 0; at < nar.length; at += 5000) yield nar.subarray(at, at + 5000);
      })(),
    );
  };
}

/** One repository's cache over several runs. */
export class House {
  readonly store = new MemoryStore();
  readonly builds = new Builds();
  log: MemoryLog = memoryLog();
  limit: number | undefined;
  deadRefs = new Set<string>();

  async #inWorld<T>(work: (world: HouseWorld) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'cache-house-'));
    this.log = memoryLog();
    try {
      const clock = { ...systemClock, now: () => this.store.now };
      return await work({ store: this.store, log: this.log, folder, clock });
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  #rules() {
    return {
      ref: this.store.ref,
      governs: this.store.ref === 'refs/heads/main',
      deadRefs: this.deadRefs,
      bases: ['refs/heads/main'],
      limit: this.limit,
    };
  }

  /** A build job: reads the index, has built `paths`, and stores them. */
  save(run: string, paths: readonly NewPath[], rest: Partial<SaveInput> & { job?: string } = {}) {
    const { job = 'app', ...input } = rest;
    return this.#inWorld(async (world) =>
      saveCache(world, {
        attempt: { run, attempt: 1, system: 'x86_64-linux', job },
        rules: this.#rules(),
        index: (await restoreIndex(world)).index,
        built: paths,
        needed: [{ system: 'x86_64-linux', image: job, paths: paths.map(({ path }) => path) }],
        readNar: this.builds.readNar,
        packLimit: 40_000,
        ...input,
      }),
    );
  }

  /** The run's last job. */
  finish(run: string, rest: Partial<FinishInput> = {}) {
    return this.#inWorld((world) =>
      finishCache(world, {
        attempt: { run, attempt: 1, system: 'x86_64-linux', job: 'publish' },
        rules: this.#rules(),
        packLimit: 40_000,
        ...rest,
      }),
    );
  }

  /** Names of the paths that a job would be served, each of them read in full and checked. */
  served(): Promise<string[]> {
    return this.#inWorld(async (world) => {
      const { index } = await restoreIndex(world);
      const fileOf = (pack: number): string => join(world.folder, `served-${pack}`);
      const isThere = await Promise.all(index.packs.map((pack, at) => restorePack(world, pack, fileOf(at))));
      const served: string[] = [];
      for (const path of index.paths) {
        if (!path.pieces.every(({ pack }) => isThere[pack])) continue;
        await checkFrame(path, fileOf);
        const nar = this.builds.nars.get(path.path);
        if (nar && path.narSize === nar.length) served.push(path.path.slice(44));
      }
      return served.sort();
    });
  }

  /** Bytes of the entries whose keys begin with `prefix`. */
  bytes(prefix = ''): number {
    const entries = [...this.store.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return entries.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
