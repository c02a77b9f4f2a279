import { homedir } from 'node:os';
import { join } from 'node:path';
import { Connections } from './connections.ts';
import { createFetch } from './http-fetch.ts';

type Env = (name: string) => string | undefined;

/** `fetch` with the proxies and certificates of an environment. */
export function openFetch(env: Env): typeof globalThis.fetch {
  const config = env('XDG_CONFIG_HOME') ?? join(env('HOME') ?? homedir(), '.config');
  return createFetch(new Connections({ env, config }));
}

/** The same for a thread, which has connections of its own. */
export const threadFetch = (): typeof globalThis.fetch => openFetch((name) => process.env[name] || undefined);
