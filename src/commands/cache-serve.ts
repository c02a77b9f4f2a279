import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { CacheIndex } from '../cache/cache-index.ts';
import { FolderStore } from '../cache/folder-store.ts';
import { restoreIndex } from '../cache/index-store.ts';
import { runSubstituter, SUBSTITUTER_FILES } from '../cache/substituter/run-substituter.ts';
import type { ServedStatistics } from '../cache/substituter/statistics.ts';
import { systemClock } from '../core/clock.ts';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { durationText } from '../core/time.ts';
import { defineCommand } from '../host/command.ts';
import { flag, integer, path, secret } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { openNix } from '../nix/nix.ts';
import { areSettingsObeyed } from '../nix/obeyed-settings.ts';
import { includeLine } from '../nix/substituter-settings.ts';
import { type EndedCache, endCacheProcess, startCacheProcess } from './cache-process.ts';

const LOOPBACK = '127.0.0.1';

const MINUTE = 60_000;

/**
 * Milliseconds that a process in the background lives at most: as long as the longest job whose token GitHub renews (24 h on
 * a runner of one's own), so that a lost post step leaves nothing for ever.
 */
const LONGEST_JOB = 24 * 60 * MINUTE;

/** Minutes without a request after which it ends in the background: GitHub's own runners end a job after six hours. */
const IDLE_MINUTES = 360;

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

/** The environment's lines of nix.conf, with the one that includes a file. */
const withInclude = (host: Host, settings: string): string =>
  [host.env('NIX_CONFIG') ?? '', includeLine(settings), ''].join('\n').trimStart();

/**
 * Variables by which Nix speaks to the cache itself where everything else goes through a proxy, as on many runners of
 * companies: curl, which Nix uses, sends what is for the loopback address to the proxy too.
 */
function aroundProxy({ env }: Host): Readonly<Record<string, string>> {
  if (['http_proxy', 'all_proxy', 'ALL_PROXY'].every((name) => env(name) === undefined)) return {};
  const hosts = (env('no_proxy') ?? env('NO_PROXY') ?? '').split(/[\s,]+/).filter((host) => host !== '');
  if (hosts.includes(LOOPBACK) || hosts.includes('*')) return {};
  const all = [...hosts, LOOPBACK].join(',');
  return { no_proxy: all, NO_PROXY: all };
}

/** Whether Nix takes the cache; where it does not, one warning says what to do. */
async function checkObeyed(host: Host, settings: string): Promise<boolean> {
  const { exec, log, signal } = host;
  const nix = await openNix({ exec, log, signal });
  if (await areSettingsObeyed(nix, withInclude(host, settings))) return true;
  const { username } = userInfo();
  log.warn(
    `the Nix daemon does not take a cache from ${username}, who is not one of its trusted users, so everything is built. ` +
      `Add this line to its nix.conf, and restart it: extra-trusted-users = ${username}`,
  );
  return false;
}

function servingText({ paths, packs }: CacheIndex, name: string): string {
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0);
  return `${countText(paths.length, 'path')} (${sizeText(bytes)}) of ${name}`;
}

interface Serving {
  readonly cache: string;
  readonly port: number;
  readonly secret: string;
  readonly state: string;
  readonly idle: number;
  readonly eager: boolean;
}

/** Serves until the user stops it or a limit is reached. */
async function serve(host: Host, { cache, port, secret: part, state, idle, eager }: Serving): Promise<Done> {
  const { log, signal } = host;
  const store = new FolderStore(cache, undefined, { log, clock: systemClock });
  const { index } = await restoreIndex({ store, folder: await host.tempDir(), log });
  const settings = join(state, SUBSTITUTER_FILES.settings);
  const limits = idle === 0 ? { idle: Infinity, life: Infinity } : { idle: idle * MINUTE, life: LONGEST_JOB };
  const onReady = async (): Promise<void> => {
    log.info(`serving ${servingText(index, store.name)}; for Nix: export NIX_CONFIG='${includeLine(settings)}'`);
    if (Object.keys(aroundProxy(host)).length > 0) {
      log.warn(`Nix would ask the proxy for the cache: add ${LOOPBACK} to the variable no_proxy`);
    }
    if (idle === 0) await checkObeyed(host, settings).catch((error: Error) => log.debug(error.message));
  };
  const { why, statistics } = await runSubstituter(
    { index, store, folder: state, secret: part, port, limits, isEager: eager, onReady },
    { log, signal },
  );
  if (why !== 'stopped')
    log.info(`ended by itself: ${why === 'idle' ? 'nobody asked for anything' : 'its job must be over'}`);
  return { kind: 'served', statistics };
}

/** Starts a process that serves for the rest of the job. */
async function serveForJob(host: Host, serving: Serving): Promise<Done> {
  const { cache, port, secret: part, state, eager } = serving;
  const words = [
    'cache-serve',
    cache,
    '--port',
    String(port),
    '--state',
    state,
    '--idle',
    String(IDLE_MINUTES),
    ...(eager ? ['--eager'] : []),
  ];
  const settings = await startCacheProcess({
    program: host.program,
    args: words,
    env: { NIX_IMAGES_SECRET: part },
    folder: state,
  });
  if (await checkObeyed(host, settings)) {
    return { kind: 'started', state, environment: { NIX_CONFIG: withInclude(host, settings), ...aroundProxy(host) } };
  }
  await endCacheProcess(state);
  return { kind: 'ignored' };
}

/** What the command did. */
type Done =
  | { readonly kind: 'started'; readonly state: string; readonly environment: Readonly<Record<string, string>> }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'served'; readonly statistics: ServedStatistics };

/** What a substituter did, in one line. */
function servedText({ paths, bytes, secondsSaved, lost, bytesFetched, bytesInVain }: ServedStatistics): string {
  const vain = bytesFetched === 0 ? 0 : Math.round((100 * bytesInVain) / bytesFetched);
  const missed = lost === 0 ? '' : `; ${countText(lost, 'path')} could not be served`;
  const saved = `${durationText(secondsSaved * 1000)} of builds saved`;
  return `served ${countText(paths, 'path')} (${sizeText(bytes)}), ${saved}; ${vain} % of ${sizeText(bytesFetched)} fetched in vain${missed}`;
}

const NOTHING = 'nothing is known of what the cache served';

export const cacheServe = defineCommand({
  name: 'cache-serve',
  summary: 'Serve a cache of store paths to the Nix of this machine.',
  description:
    'Nix is told of it by lines that a file includes; the file goes when the cache is no longer served. It listens on the loopback address ' +
    'only, and a path that is damaged or gone is built.\n\nOn the command line it serves until Ctrl-C; in a workflow it serves the steps that follow.',
  inputs: {
    cache: path({ description: 'Folder of the cache.', positional: true, required: true }),
    eager: flag({
      description:
        'Fetch packs as soon as Nix is told of a path in them, not when it asks for the first one. Sooner for `nix build`; often in vain where images take their layers from a registry.',
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
  outputs: {},
  async run(inputs, host): Promise<Done> {
    const serving = {
      cache: resolve(host.cwd, inputs.cache),
      port: inputs.port,
      secret: secretOf(inputs.secret, host),
      idle: inputs.idle,
      eager: inputs.eager,
    };
    if (host.kind === 'terminal') {
      const state = inputs.state === undefined ? await host.tempDir() : resolve(host.cwd, inputs.state);
      return await serve(host, { ...serving, state });
    }
    // The runner empties it when the job ends; a folder of this run would go with this step.
    const parent = host.env('RUNNER_TEMP') ?? host.cwd;
    return await serveForJob(host, {
      ...serving,
      state: join(parent, `nix-images-cache-${randomBytes(4).toString('hex')}`),
    });
  },
  present: (done) => ({
    outputs: {},
    ...(done.kind === 'started' ? { environment: done.environment, state: { folder: done.state } } : {}),
    data: { schemaVersion: 1, ...done },
    text: done.kind === 'served' ? servedText(done.statistics) : '',
  }),
  post: {
    run: async (_inputs, _host, state) => {
      const folder = state('folder');
      return folder === undefined ? undefined : await endCacheProcess(folder);
    },
    present: (ended: EndedCache | undefined) => ({
      text: ended === undefined ? '' : ended.statistics === undefined ? NOTHING : servedText(ended.statistics),
    }),
  },
});
