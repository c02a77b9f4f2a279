import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../host/host.ts';
import type { ConfigSource } from '../storage/registry/auth/keychain.ts';

/** docker's and GitLab's variable with the text of a config.json. */
const CONFIG_VARIABLE = 'DOCKER_AUTH_CONFIG';

/**
 * Where docker and podman keep credentials, in the order they are asked: DOCKER_AUTH_CONFIG, which docker's command line
 * prefers to its file, REGISTRY_AUTH_FILE, docker's config.json, then podman's own files (containers-auth.json(5)).
 */
export function credentialSources(host: Host): ConfigSource[] {
  const text = host.env(CONFIG_VARIABLE);
  return [
    ...(text === undefined ? [] : [{ name: CONFIG_VARIABLE, read: async () => text }]),
    ...credentialFiles(host).map((file) => ({ name: file, read: () => readFile(file, 'utf8') })),
  ];
}

function credentialFiles(host: Host): string[] {
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
