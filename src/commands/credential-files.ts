import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';

/**
 * Where docker and podman keep credentials, in the order they are asked: REGISTRY_AUTH_FILE, docker's config.json, then
 * podman's own files (containers-auth.json(5)).
 */
export function credentialFiles(host: Host): string[] {
  const runtime = host.env('XDG_RUNTIME_DIR');
  const config = host.env('XDG_CONFIG_HOME') ?? join(homedir(), '.config');
  const named = host.env('REGISTRY_AUTH_FILE');
  return [
    ...(named ? [named] : []),
    join(host.env('DOCKER_CONFIG') ?? join(homedir(), '.docker'), 'config.json'),
    ...(runtime ? [join(runtime, 'containers', 'auth.json')] : []),
    join(config, 'containers', 'auth.json'),
  ];
}
