import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FolderStore } from '../cache/folder-store.ts';
import type { HouseRules, HouseWorld } from '../cache/house.ts';
import type { JobAttempt } from '../cache/keys.ts';
import { systemClock } from '../core/clock.ts';
import { readEvent } from '../github/event.ts';
import { integer, path, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { jobOf } from './github.ts';
import { gitHubCache, refsOfClosedPulls } from './github-cache.ts';
import { systemHere } from './system-here.ts';

/** Inputs of the commands that save to a cache and keep it within its limit. */
export const cacheInputs = {
  cache: path({ description: "Folder of the cache. Default: GitHub's cache, in a job.", positional: true }),
  limit: integer({
    description:
      "Megabytes of everything in the cache, other tools' entries too. Default: nine tenths of GitHub's limit, 9000 in a folder.",
    min: 1,
  }),
  name: text({
    description: 'What tells this job from the other jobs of the run for the same system. Default: the id of the job.',
  }),
  token: secret({
    description: "Token that lists and deletes entries of GitHub's cache.",
    faces: 'action',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
    actionDefault: '${{ github.token }}',
  }),
};

interface CacheInputs {
  readonly cache: string | undefined;
  readonly limit: number | undefined;
  readonly name: string | undefined;
  readonly token: string | undefined;
}

const MEGABYTE = 1_000_000;

/** A cache, and what this run is to it. */
interface CacheHouse {
  readonly world: HouseWorld;
  readonly rules: HouseRules;
  readonly attempt: JobAttempt;
}

/** Opens the cache that the inputs name. Throws UserError `input`. */
export async function openHouse(host: Host, { cache, limit, name, token }: CacheInputs): Promise<CacheHouse> {
  const { log } = host;
  const clock = systemClock;
  const folder = await host.tempDir();
  const job = await jobOf(host);
  const store =
    cache === undefined
      ? gitHubCache(host, token)
      : new FolderStore(resolve(host.cwd, cache), undefined, { log, clock });
  const scope = cache === undefined && job !== undefined ? await scopeOf(host) : { ref: undefined, governs: true };
  // Who does not keep house deletes nothing of other refs.
  const isAsked = cache === undefined && scope.governs;
  const deadRefs = isAsked ? await refsOfClosedPulls(host, token, store) : new Set<string>();
  return {
    world: { store, log, folder, clock },
    rules: { ...scope, deadRefs, limit: limit === undefined ? undefined : limit * MEGABYTE },
    attempt: {
      // A person's machine has no runs: the time tells them apart.
      run: job?.runId ?? `local${clock.now()}`,
      attempt: job?.attempt ?? 1,
      system: systemHere(),
      job: name ?? job?.job ?? 'here',
    },
  };
}

/** The default branch's runs keep house for all; the others read it. */
async function scopeOf(host: Host): Promise<Pick<HouseRules, 'ref' | 'governs' | 'bases'>> {
  const { ref, base, defaultBranch } = await readEvent({ env: host.env, readFile: (file) => readFile(file, 'utf8') });
  const main = defaultBranch === undefined ? undefined : `refs/heads/${defaultBranch}`;
  const bases = [base === undefined ? undefined : `refs/heads/${base}`, main].filter((one) => one !== undefined);
  return { ref, governs: main !== undefined && ref === main, bases };
}
