import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { CacheIndex } from '../cache/cache-index.ts';
import { gatherIndex } from '../cache/gather.ts';
import type { ServedStatistics } from '../cache/substituter/statistics.ts';
import { UserError } from '../core/error.ts';
import { noCacheService } from '../github/cache/cache-service.ts';
import { defineCommand } from '../host/command.ts';
import { flag, integer, lines, path, secret } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { builtImages } from './built-images.ts';
import { type CacheInputs, jobInputs, openHouse, placeInputs, savingInputs } from './cache-house.ts';
import { endCacheProcess } from './cache-process.ts';
import { prefixesAfter, saveBuilt } from './cache-saving.ts';
import { contentText, readServedIndex, serveForJob, serveUntilStopped } from './cache-serving.ts';
import { type CacheEnd, jobSummary, jobText, servedText } from './present-cache.ts';

/** What a secret must be like to stand in a URL, and not to be found by trying. */
const SECRET = /^[\w-]{16,100}$/;

const SECRET_BYTES = 16;

function secretOf(given: string | undefined, { log }: Host): string {
  const text = given ?? randomBytes(SECRET_BYTES).toString('hex');
  log.mask(text);
  if (SECRET.test(text)) return text;
  throw new UserError('input', 'the secret is not valid: expected 16 to 100 letters, digits, `-` and `_`', {
    hint: 'Leave it out, and a new one is made.',
  });
}

/** What the command did. */
type CacheDone =
  | { readonly kind: 'served'; readonly statistics: ServedStatistics }
  /** `environment` is undefined where nothing is served: the cache is empty, or Nix does not take it. */
  | {
      readonly kind: 'started';
      readonly cache: string;
      readonly index: CacheIndex;
      readonly state: string;
      readonly began: number;
      readonly environment: Readonly<Record<string, string>> | undefined;
    }
  | { readonly kind: 'off' };

interface StartInputs extends CacheInputs {
  readonly port: number;
  readonly eager: boolean;
  readonly secret: string | undefined;
  readonly after: string | undefined;
}

/** Starts to serve a cache for the rest of the job. */
async function start(inputs: StartInputs, host: Host): Promise<CacheDone> {
  const why = inputs.cache === undefined ? noCacheService(host.env) : undefined;
  if (why !== undefined) {
    host.log.info(`nothing is cached: ${why}`);
    return { kind: 'off' };
  }
  const secretPart = secretOf(inputs.secret, host);
  const { world, rules, attempt } = await openHouse(host, inputs);
  const began = world.clock.now();
  const gathering = { ...rules, run: attempt.run, prefixes: prefixesAfter(inputs.after, attempt) };
  const { index } = await gatherIndex(world, await world.store.list(), gathering);
  // The runner empties it when the job ends; a folder of this run would go with this step.
  const parent = host.env('RUNNER_TEMP') ?? host.cwd;
  const state = join(parent, `nix-images-cache-${randomBytes(4).toString('hex')}`);
  const started = { kind: 'started', cache: world.store.name, index, state, began } as const;
  if (index.paths.length === 0) {
    host.log.info(`${world.store.name} has no store paths yet`);
    return { ...started, environment: undefined };
  }
  const { port, eager } = inputs;
  const serving = { port, secret: secretPart, state, eager };
  const environment = await serveForJob(host, { index, place: inputs }, serving).catch((error: unknown) =>
    goOn(error, host),
  );
  if (environment !== undefined) host.log.info(`serving ${contentText(index)} of ${world.store.name} to Nix`);
  return { ...started, environment };
}

/** A cache costs time when it is not there, and never a build. Throws what says that the job itself cannot go on. */
function goOn(error: unknown, { log }: Host): undefined {
  if (!(error instanceof UserError) || error.code !== 'file') throw error;
  log.warn(`${error.message}; everything is built as if there was no cache`);
}

/** Why this job may not save; undefined where it may, as far as can be known before. */
function savesNothing({ env }: Host, { cache, readOnly }: { cache: string | undefined; readOnly: boolean }) {
  if (readOnly) return 'read-only is set';
  const mode = env('ACTIONS_CACHE_MODE');
  return cache === undefined && (mode === 'read' || mode === 'none') ? `the mode of the cache is ${mode}` : undefined;
}

export const cache = defineCommand({
  name: 'cache',
  summary: 'Serve a cache of store paths to Nix, and save what the job builds.',
  description:
    "In a workflow it serves the steps that follow, from GitHub's cache or a folder, and saves when the job ends what Nix has built and no substituter " +
    'has. Without a cache, or without the right to write to it, the job goes on and the log says so. Other jobs see what was saved once `cache-merge` has run.\n\n' +
    'On the command line it serves until Ctrl-C, and saves nothing: `cache-save` does.\n\n' +
    'Nix is told of the cache by lines that a file includes; the file goes when the cache is no longer served. It listens on the loopback address ' +
    'only, and a path that is damaged or gone is built.',
  inputs: {
    ...placeInputs,
    ...savingInputs('action'),
    ...jobInputs('action'),
    readOnly: flag({ description: 'Save nothing.', faces: 'action' }),
    exclude: lines({
      description:
        'Store path of an image or a disk, which is not stored, nor what only it needs; those of the action `build` are known.',
      faces: 'action',
    }),
    merge: flag({ description: 'Merge at once: this is the only job of its run that saves.', faces: 'action' }),
    eager: flag({
      description:
        'Fetch packs as soon as Nix is told of a path in them, not when it is known that something will be built. Often in vain where images take their layers from a registry.',
    }),
    port: integer({ description: 'Port on 127.0.0.1; 0 is any that is free.', default: 0, min: 0, max: 65_535 }),
    secret: secret({
      description: 'First part of every path, so that only who knows it can ask. Default: a new one.',
    }),
    state: path({
      description:
        'Folder for the settings of Nix, statistics, and packs while they are needed. Default: a temporary one.',
      faces: 'cli',
    }),
    idle: integer({
      description: 'Minutes without a request after which it ends; 0 is never.',
      default: 0,
      min: 0,
      faces: 'cli',
    }),
  },
  outputs: { paths: 'How many paths the cache has.' },
  async run(inputs, host): Promise<CacheDone> {
    if (host.kind === 'runner') return await start(inputs, host);
    const part = secretOf(inputs.secret, host);
    const state = inputs.state === undefined ? await host.tempDir() : resolve(host.cwd, inputs.state);
    const { world, rules, attempt } = await openHouse(host, inputs);
    const { store } = world;
    const index =
      (await readServedIndex(state)) ??
      (await gatherIndex(world, await store.list(), { ...rules, run: attempt.run })).index;
    const { port, idle, eager } = inputs;
    return {
      kind: 'served',
      statistics: await serveUntilStopped(host, { store, index }, { port, idle, eager, secret: part, state }),
    };
  },
  present: (done) => ({
    outputs: { paths: done.kind === 'started' ? String(done.index.paths.length) : '' },
    ...(done.kind === 'started'
      ? {
          environment: done.environment ?? {},
          state: { folder: done.state, began: String(done.began), paths: String(done.index.paths.length) },
        }
      : {}),
    data: { schemaVersion: 1, kind: done.kind, ...(done.kind === 'served' ? { statistics: done.statistics } : {}) },
    text: done.kind === 'served' ? servedText(done.statistics) : '',
  }),
  post: {
    async run(inputs, host, state): Promise<CacheEnd | undefined> {
      const folder = state('folder');
      if (folder === undefined) return undefined;
      const ended = await endCacheProcess(folder);
      const why = savesNothing(host, inputs);
      if (why !== undefined) {
        host.log.info(`nothing is saved: ${why}`);
        return { ended, saved: undefined };
      }
      const saved = await saveBuilt(host, inputs, {
        exclude: [...inputs.exclude, ...(await builtImages(host))],
        merge: inputs.merge,
        images: inputs.images,
        after: inputs.after,
        wanted: ended.wanted,
        cameAfter: Number(state('began') ?? 0),
      });
      return { ended, saved };
    },
    present: (end: CacheEnd | undefined) => ({ text: jobText(end), ...jobSummary(end) }),
  },
});
