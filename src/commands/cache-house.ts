import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FolderStore } from '../cache/folder-store.ts';
import type { HouseRules, HouseWorld } from '../cache/house.ts';
import type { JobAttempt } from '../cache/keys.ts';
import { cacheInLayout, cacheInRegistry } from '../cache/oci-place.ts';
import { OciStore } from '../cache/oci-store.ts';
import type { CacheStore } from '../cache/store.ts';
import { systemClock } from '../core/clock.ts';
import { readEvent } from '../github/event.ts';
import { choice, integer, lines, path, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { LayoutFolder } from '../storage/layout/layout-folder.ts';
import { parseLocation } from '../storage/location.ts';
import { jobOf } from './github.ts';
import { gitHubCache, refsOfClosedPulls } from './github-cache.ts';
import { inFolder, placesOf } from './places.ts';
import { registryInputs } from './shared-inputs.ts';
import { systemHere } from './system-here.ts';

/** Where a cache is, and who may go there. */
export const placeInputs = {
  ...registryInputs,
  cache: path({
    description:
      "The cache: a folder, or a repository as `docker://HOST/NAME` or `oci:DIR`. Default: GitHub's cache, in a job.",
    positional: true,
  }),
};

/** What tells a job that saves from others, and how much it may save. */
export const savingInputs = (faces: 'both' | 'action') => ({
  limit: integer({
    description:
      "Megabytes of everything in the cache, other tools' entries too. Default: nine tenths of GitHub's limit, 9000 elsewhere.",
    min: 1,
    faces,
  }),
  name: text({
    description: 'What tells this job from the other jobs of the run for the same system. Default: the id of the job.',
    faces,
  }),
  system: choice(SYSTEMS, {
    description: "System that the job builds for, where it emulates another. Default: this machine's.",
    faces,
  }),
  token: secret({
    description:
      "Token that lists and deletes entries of GitHub's cache, and is used for ghcr.io where nothing else is a login for it.",
    faces: 'action',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
    actionDefault: '${{ github.token }}',
  }),
});

/** What says more of a job that saves. */
export const jobInputs = (faces: 'both' | 'action') => ({
  images: lines({
    description: 'Image that needs what the job builds, where that is not what `name` says. Give it once for each.',
    placeholder: 'NAME',
    faces,
  }),
  after: text({
    description: 'Job of the same run and system, by its `name`, whose paths are known before they are merged.',
    placeholder: 'NAME',
    faces,
  }),
});

/** Inputs of the commands that save to a cache and keep it within its limit. */
export const cacheInputs = { ...placeInputs, ...savingInputs('both') };

type RegistryLogins = Parameters<typeof placesOf>[1];

export interface PlaceInputs extends RegistryLogins {
  readonly cache: string | undefined;
}

export interface CacheInputs extends PlaceInputs {
  readonly limit: number | undefined;
  readonly name: string | undefined;
  readonly system: System | undefined;
}

const MEGABYTE = 1_000_000;

/** A cache, and what this run is to it. */
interface CacheHouse {
  readonly world: HouseWorld;
  readonly rules: HouseRules;
  readonly attempt: JobAttempt;
}

/** Opens the cache that the inputs name. Throws UserError `input`. */
export async function openHouse(host: Host, inputs: CacheInputs): Promise<CacheHouse> {
  const { cache, limit, name, system, token } = inputs;
  const { log } = host;
  const clock = systemClock;
  const folder = await host.tempDir();
  const job = await jobOf(host);
  const store = await openStore(host, inputs);
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
      system: system ?? systemHere(),
      job: name ?? job?.job ?? 'here',
    },
  };
}

/** What is a repository, and no folder. */
const REPOSITORY = /^(?:docker:\/\/|oci:)/;

async function openStore(host: Host, inputs: CacheInputs): Promise<CacheStore> {
  const { cache, token } = inputs;
  const { log, cwd } = host;
  if (cache === undefined) return gitHubCache(host, token);
  if (!REPOSITORY.test(cache)) return new FolderStore(resolve(cwd, cache), undefined, { log, clock: systemClock });
  const places = await placesOf(host, inputs);
  const location = inFolder(parseLocation(cache), cwd);
  const world = { log, clock: systemClock };
  if (location.kind === 'registry')
    return new OciStore(cacheInRegistry(places.openForRemoval(location.reference)), world);
  const folder = new LayoutFolder(location.path, { ...world, signal: host.signal });
  return new OciStore(cacheInLayout(places.openForWriting(location), folder), world);
}

/** The default branch's runs keep house for all; the others read it. */
async function scopeOf(host: Host): Promise<Pick<HouseRules, 'ref' | 'governs' | 'bases'>> {
  const { ref, base, defaultBranch } = await readEvent({ env: host.env, readFile: (file) => readFile(file, 'utf8') });
  const main = defaultBranch === undefined ? undefined : `refs/heads/${defaultBranch}`;
  const bases = [base === undefined ? undefined : `refs/heads/${base}`, main].filter((one) => one !== undefined);
  return { ref, governs: main !== undefined && ref === main, bases };
}
