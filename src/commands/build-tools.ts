import { availableParallelism } from 'node:os';
import type { Host } from '../host/host.ts';
import type { BuildTools } from '../image/from-definition/build-from-nix.ts';
import { LayerThreads } from '../layer/layer-threads.ts';
import type { Nix } from '../nix/nix.ts';
import type { Places } from './places.ts';

/** Each thread takes some 25 MiB with its upload, and beyond four the network or the registry is what one waits for. */
const MOST_THREADS = 4;

export const buildTools = async (host: Host, nix: Nix, places: Places): Promise<BuildTools> => ({
  nix,
  exec: host.exec,
  openForReading: places.openForReading,
  tempDir: await host.tempDir(),
  openWriter: () => new LayerThreads(host.program, Math.min(availableParallelism(), MOST_THREADS)),
  log: host.log,
  signal: host.signal,
});
