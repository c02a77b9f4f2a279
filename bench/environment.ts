import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes a program use `home` for its caches, settings and logins, as on a machine of its own. */
export const homeEnvironment = (home: string): Record<string, string> => ({
  HOME: home,
  XDG_CACHE_HOME: join(home, 'cache'),
  XDG_CONFIG_HOME: join(home, 'config'),
  XDG_DATA_HOME: join(home, 'data'),
  XDG_STATE_HOME: join(home, 'state'),
  DOCKER_CONFIG: join(home, 'docker'),
  NO_COLOR: '1',
});

/** Makes a home folder with nothing in it but an empty list of logins, without which buildah does not start. */
export async function makeHome(home: string): Promise<void> {
  await mkdir(join(home, 'docker'), { recursive: true });
  await writeFile(join(home, 'docker/config.json'), '{}');
}
