import { availableParallelism, totalmem } from 'node:os';
import { systemClock } from '../core/clock.ts';
import { DiskThreads } from '../disk/disk-threads.ts';
import type { DiskTools } from '../disk-image/build-disk.ts';
import type { Host } from '../host/host.ts';
import type { BuildTools } from '../image/build-and-test.ts';
import { SharedLayers } from '../image/shared-layers.ts';
import { LayerThreads } from '../layer/layer-threads.ts';
import { threadCount } from '../layer/thread-count.ts';
import { freeBytes } from '../machine/disk-space.ts';
import type { Nix } from '../nix/nix.ts';
import { runDiskTests } from './disk-tests.ts';
import { runTests } from './image-tests.ts';
import type { Places } from './places.ts';
import type { TestInputs } from './tests-ran.ts';

/** Threads that hash a disk: more wait for what it lies on. */
const MOST_THREADS = 4;

/** Frames of a disk that are compressed at once: two at least, so that this thread has hashing and sending for itself. */
const FRAMES = { least: 2, most: 4 };

/** Opens threads that make layers, as many as this machine has use for. Throws UserError `input` where the environment states what cannot be. */
export function layerThreads({ program, env }: Host): () => LayerThreads {
  // Where no container limits it, that is a number above any memory.
  const memory = Math.min(totalmem(), process.constrainedMemory());
  const width = threadCount({ cores: availableParallelism(), memory, stated: env('NIX_IMAGES_THREADS') });
  return () => new LayerThreads(program, width);
}

/** What building an image or a disk asks of this machine. */
export async function buildTools(
  host: Host,
  nix: Nix,
  places: Places,
  tests: TestInputs,
): Promise<BuildTools & DiskTools> {
  const cores = availableParallelism();
  return {
    nix,
    exec: host.exec,
    openForReading: places.openForReading,
    tempDir: await host.tempDir(),
    shared: sharedLayers(host),
    runTests: (definition, image) => runTests(definition, image, tests, host),
    openThreads: () => new DiskThreads(host.program, Math.min(cores, MOST_THREADS)),
    parallel: Math.min(Math.max(cores, FRAMES.least), FRAMES.most),
    free: freeBytes,
    testDisk: (disk) => runDiskTests(disk, tests, host),
    log: host.log,
    clock: systemClock,
    signal: host.signal,
  };
}

/** Of one run of the program: whatever it builds, each layer is made once. */
const shared = new WeakMap<Host, SharedLayers>();

/** What all images share that are built in a run. */
export function sharedLayers(host: Host): SharedLayers {
  const found = shared.get(host) ?? new SharedLayers(layerThreads(host));
  shared.set(host, found);
  return found;
}
