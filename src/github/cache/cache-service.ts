import type { Env } from '../runtime.ts';

/** Hosts whose cache service is version 2, as @actions/cache 6.3.0 tells them from GitHub Enterprise Server. */
const HOSTED = /^(?:github\.com|.+\.ghe\.com|.+\.localhost)$/i;

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : url);

const missing = (name: string): string =>
  `${name} is not set; the runner gives it to actions (uses:) only, not to scripts (run:)`;

/** Why this step cannot use GitHub's cache; undefined when it can. */
export function noCacheService(env: Env): string | undefined {
  if (env('GITHUB_ACTIONS') !== 'true') return 'this is no job of GitHub Actions';
  if (env('ACTIONS_RUNTIME_TOKEN') === undefined) return missing('ACTIONS_RUNTIME_TOKEN');
  const isHosted = HOSTED.test(hostOf(env('GITHUB_SERVER_URL') ?? 'https://github.com'));
  if (isHosted && env('ACTIONS_CACHE_SERVICE_V2') !== undefined) {
    return env('ACTIONS_RESULTS_URL') === undefined ? missing('ACTIONS_RESULTS_URL') : undefined;
  }
  return env('ACTIONS_CACHE_URL') === undefined
    ? 'this runner has no cache service (ACTIONS_CACHE_URL is not set)'
    : undefined;
}

/** What the client and Node itself read of the environment, beside what every program gets (docs/environment.md). */
const PASSED = [
  ...[
    'ACTIONS_CACHE_SERVICE_V2',
    'ACTIONS_CACHE_URL',
    'ACTIONS_RESULTS_URL',
    'ACTIONS_RUNTIME_TOKEN',
    'ACTIONS_CACHE_MODE',
  ],
  // By the last one the runner finds processes that a job left behind.
  ...['GITHUB_SERVER_URL', 'RUNNER_TRACKING_ID'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'],
];

/** Where a transfer has its files. */
export interface TransferFolders {
  /** Holds the entry's file; tar takes its names from here. */
  readonly work: string;
  /** Where the client puts its archives. */
  readonly temp: string;
}

/** The environment of the process that moves an entry: nothing of the step's but what `PASSED` names. */
export const transferEnvironment = (env: Env, { work, temp }: TransferFolders): Record<string, string> => ({
  ...Object.fromEntries(PASSED.flatMap((name) => (env(name) === undefined ? [] : [[name, env(name) ?? '']]))),
  GITHUB_ACTIONS: 'true',
  GITHUB_WORKSPACE: work,
  RUNNER_TEMP: temp,
  // Entries are packed already: the first level costs a third of the memory of the usual one, and a fifth less time.
  ZSTD_CLEVEL: '1',
  // A pack is one segment; one that takes longer comes too late to be of use.
  SEGMENT_DOWNLOAD_TIMEOUT_MINS: '2',
  // What tar says of a full disk is read.
  LC_ALL: 'C',
});
