import { resolve } from 'node:path';
import { FolderStore } from '../cache/folder-store.ts';
import { type KeptAlive, keepAlive } from '../cache/keep-alive.ts';
import { systemClock } from '../core/clock.ts';
import { countText } from '../core/count.ts';
import { defineCommand } from '../host/command.ts';
import { path, secret } from '../host/fields.ts';
import { gitHubCache } from './github-cache.ts';

function keptText({ packs, touched, recent, gone }: KeptAlive): string {
  if (packs === 0) return 'the cache is empty';
  const lost = gone === 0 ? '' : `, ${gone} gone`;
  return `${countText(packs, 'pack')} in the cache: ${touched} kept, ${recent} used of late${lost}`;
}

export const cacheKeep = defineCommand({
  name: 'cache-keep',
  summary: 'Keep a cache of store paths from being dropped in a quiet week.',
  description:
    'GitHub drops entries of its cache that nobody has used for seven days. This counts as use: each pack that would go soon is looked up, and read ' +
    'where looking is not enough. Run it every second day, on the default branch; the permission `actions: read` lets it see what needs nothing.',
  inputs: {
    cache: path({ description: "Folder of the cache. Default: GitHub's cache, in a job.", positional: true }),
    token: secret({
      description: "Token that lists the entries of GitHub's cache.",
      faces: 'action',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
      actionDefault: '${{ github.token }}',
    }),
  },
  outputs: {},
  async run({ cache, token }, host): Promise<KeptAlive> {
    const world = { log: host.log, clock: systemClock };
    const store =
      cache === undefined ? gitHubCache(host, token) : new FolderStore(resolve(host.cwd, cache), undefined, world);
    return await keepAlive({ ...world, store, folder: await host.tempDir() });
  },
  present: (kept) => ({ outputs: {}, data: { schemaVersion: 1, ...kept }, text: keptText(kept) }),
});
