import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensurePartialPull, partialPullPath } from '../../scripts/setup/go-tools.mjs';
import { beginWithRelease, removeMounted, SCRATCH } from '../begin.ts';
import { homeEnvironment, makeHome } from '../environment.ts';
import { FIXTURES } from '../fixture/fixture.ts';
import { imageArguments } from '../fixture/image-file.ts';
import { fetchPackages } from '../fixture/packages.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { watchInterruption } from '../interruption.ts';
import { load } from '../machine.ts';
import { timed } from '../measure/timed.ts';
import type { Options } from '../options.ts';
import { bytesSent } from '../registry/access-log.ts';
import { startRegistry, storageOf } from '../registry/registry.ts';
import { copyStorage } from '../registry/storage.ts';
import { publishWords } from '../subjects/own.ts';
import { CHANGES, type PullResult, type PullRun, WAYS } from './result.ts';

type Way = (typeof WAYS)[number];

interface World {
  /** Words for Nix that make the image of a way, with what has changed. */
  readonly words: (way: Way, change: Readonly<Record<string, string>>) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly runs: number;
  readonly signal: AbortSignal;
}

/** Until the registry has written its lines: milliseconds for each. */
const LOG_DELAY_MS = 100;

const BASE = 'containers-storage:localhost/bench:base';
const NEXT = 'containers-storage:localhost/bench:next';

/** A store of a way's own, which is pulled into in part, with nothing in it. */
async function makeStore(folder: string): Promise<Record<string, string>> {
  const home = join(folder, 'home');
  await makeHome(home);
  const settings = join(folder, 'storage.conf');
  const places = `driver = "overlay"\ngraphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n`;
  const options = '[storage.options.pull_options]\nenable_partial_images = "true"\n';
  await writeFile(settings, `[storage]\n${places}${options}`);
  const blobs = join(folder, 'blobs');
  await mkdir(blobs);
  return { ...homeEnvironment(home), CONTAINERS_STORAGE_CONF: settings, BLOB_INFO_CACHE: blobs };
}

/** Publishes an image to a registry in `folder`, and gives what pulls it and what that takes. */
async function withPublished<T>(
  folder: string,
  way: Way,
  change: Readonly<Record<string, string>>,
  { words, env, signal }: World,
  use: (
    pull: (to: string, store: Readonly<Record<string, string>>) => Promise<Omit<PullRun, 'way' | 'step'>>,
  ) => Promise<T>,
): Promise<T> {
  const registry = await startRegistry(folder);
  const image = `docker://${registry.host}/bench:latest`;
  // A request's line may come when its answer has arrived.
  const sent = async (): Promise<number> => {
    await sleep(LOG_DELAY_MS);
    return bytesSent(await readFile(join(folder, 'log'), 'utf8'));
  };
  try {
    await timed(
      { program: process.execPath, args: publishWords(words(way, change), way.compression, image), env, signal },
      folder,
    );
    return await use(async (to, store) => {
      const before = await sent();
      const pull = { program: partialPullPath(), args: [image, to], env: store, signal };
      const { wallSeconds } = await timed(pull, folder);
      return { bytes: (await sent()) - before, seconds: wallSeconds };
    });
  } finally {
    await registry.stop();
  }
}

/** The pulls of one way: into an empty store, and after each change into one that has the image before. */
async function runWay(way: Way, folder: string, world: World): Promise<PullRun[]> {
  const store = await makeStore(folder);
  const { signal } = world;
  const remove = (name: string) =>
    timed({ program: partialPullPath(), args: ['--delete', name], env: store, signal }, folder);
  const runs: PullRun[] = [];
  const first = join(folder, 'base');
  await withPublished(first, way, {}, world, async (pull) => {
    for (let round = 0; round < world.runs; round += 1) {
      if (round > 0) await remove(BASE);
      runs.push({ way: way.name, step: 'first', ...(await pull(BASE, store)) });
    }
  });
  for (const [step, change] of Object.entries(CHANGES) as [keyof typeof CHANGES, (typeof CHANGES)['leaf']][]) {
    const next = join(folder, 'next');
    await copyStorage(storageOf(first), storageOf(next));
    await withPublished(next, way, change, world, async (pull) => {
      for (let round = 0; round < world.runs; round += 1) {
        runs.push({ way: way.name, step, ...(await pull(NEXT, store)) });
        await remove(NEXT);
      }
    });
    await rm(next, { recursive: true });
  }
  return runs;
}

/**
 * Pulls the closure's image into a store of containers/storage that has the image before a change, stored in each way, and counts what the registry
 * sends. One way after another, and each is removed: for the large closure a registry and a store hold 7 GB. Throws what a command says that fails.
 * When it is interrupted, it leaves nothing running, mounted or stored.
 */
export async function measurePull(options: Options, work: string, log: (line: string) => void): Promise<PullResult> {
  if (process.getuid?.() !== 0) throw new Error('--pull needs root, as the driver overlay does');
  const env = await beginWithRelease(work, log);
  ensurePartialPull(log);
  const packages = await fetchPackages(FIXTURES[options.fixture], systemOfMachine(), work, log);
  using interruption = watchInterruption();
  const { signal } = interruption;
  const scratch = await mkdtemp(join(work, SCRATCH));
  const world: World = {
    words: ({ maxLayers }, change) => imageArguments(options.fixture, packages, 'base', { ...change, maxLayers }),
    env,
    runs: options.runs,
    signal,
  };
  try {
    // Others may be at work: what counts are bytes.
    const loadBefore = load();
    const runs: PullRun[] = [];
    for (const way of WAYS) {
      const folder = await mkdtemp(join(scratch, 'way-'));
      try {
        const found = await runWay(way, folder, world);
        runs.push(...found);
        log(`${way.name}: ${found.map(({ step, bytes }) => `${step} ${(bytes / 1e6).toFixed(2)} MB`).join(', ')}`);
      } finally {
        await removeMounted(folder);
      }
    }
    return { runs, loadBefore };
  } finally {
    await removeMounted(scratch);
  }
}
