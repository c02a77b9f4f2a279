import { availableParallelism } from 'node:os';
import type { Host } from '../host/host.ts';
import type { BuildTools } from '../image/build-and-test.ts';
import { LayerThreads } from '../layer/layer-threads.ts';
import type { Nix } from '../nix/nix.ts';
import { runTests, type TestInputs } from './image-tests.ts';
import type { Places } from './places.ts';

/** Each thread takes some 25 MiB with its upload, and beyond four the network or the registry is what one waits for. */
const MOST_THREADS = 4;

/** What building an image asks of this machine. */
export const buildTools = async (host: Host, nix: Nix, places: Places, tests: TestInputs): Promise<BuildTools> => ({
  nix,
  exec: host.exec,
  openForReading: places.openForReading,
  tempDir: await host.tempDir(),
  openWriter: () => new LayerThreads(host.program, Math.min(availableParallelism(), MOST_THREADS)),
  runTests: (definition, image) => runTests(definition, image, tests, host),
  log: host.log,
  signal: host.signal,
});
