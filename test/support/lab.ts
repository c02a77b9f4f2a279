import { type Podman, preparePodman } from './podman.ts';
import { type RunningRegistry, startRegistry } from './registry.ts';
import { type TempDir, uniqueTempDir } from './tools.ts';

/** What a test of published images needs: a registry, a container engine and a folder, all its own. */
export interface Lab {
  readonly registry: RunningRegistry;
  readonly podman: Podman;
  readonly temp: TempDir;
  close(): Promise<void>;
}

/** Opens a lab; close it when the tests are done, whatever came of them. */
export async function openLab(name: string): Promise<Lab> {
  const [registry, podman, temp] = await Promise.all([startRegistry(), preparePodman(), uniqueTempDir(name)]);
  const close = async (): Promise<void> => {
    await Promise.all([registry.stop(), podman.remove(), temp.remove()]);
  };
  return { registry, podman, temp, close };
}
