import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, onTestFinished } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { GitHubStore } from '../../../../src/github/cache/github-store.ts';
import { ENTRY_FILE } from '../../../../src/github/cache/transfer.ts';
import { type RestCaches, restCaches } from '../../../../src/github/rest/caches.ts';
import { Connections } from '../../../../src/host/connections.ts';
import { createExec } from '../../../../src/host/exec.ts';
import { createFetch } from '../../../../src/host/http-fetch.ts';
import { cacheRoutes } from '../../../emulators/github/caches.ts';
import { type GitHubEmulator, type GitHubOptions, startGitHub } from '../../../emulators/github/emulator.ts';
import { type ResultsEmulator, type ResultsOptions, startResults } from '../../../emulators/results/emulator.ts';
import type { JobRun } from '../../../emulators/results/tokens.ts';
import { type MemoryLog, memoryLog } from '../../../support/memory-log.ts';
import { ROOT } from '../../../support/root.ts';

/** What Node has compiled of the client; shared by the stores of a file, whose first transfers would take half as long again. */
const compiled = await mkdtemp(join(tmpdir(), 'nix-images-compiled-'));
afterAll(() => rm(compiled, { recursive: true, force: true }));

/** A folder of the test's own. */
export const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'nix-images-cache-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

/** The version of entries that the client packs with zstd: a hash of the path it is given, the packing and its own salt. */
export const CLIENT_VERSION = createHash('sha256').update(`${ENTRY_FILE}|zstd-without-long|1.0`).digest('hex');

/** A file of random bytes, like a pack: what is packed already does not get smaller. */
export const randomPack = async (folder: string, size: number): Promise<{ path: string; bytes: Buffer }> => {
  const bytes = randomBytes(size);
  const path = join(folder, randomBytes(4).toString('hex'));
  await writeFile(path, bytes);
  return { path, bytes };
};

export const openResults = async (options: ResultsOptions = {}): Promise<ResultsEmulator> => {
  const results = await startResults(options);
  onTestFinished(() => results.stop());
  return results;
};

/** GitHub's REST interface over the caches of `results`. */
export const openGitHub = async (
  results: ResultsEmulator,
  { routes = [], ...options }: Partial<GitHubOptions> = {},
): Promise<GitHubEmulator> => {
  const github = await startGitHub({ routes: [...cacheRoutes(results.caches, 'org/app'), ...routes], ...options });
  onTestFinished(() => github.stop());
  return github;
};

/** What the program itself asks with: no redirect is followed. */
export const plainFetch = createFetch(new Connections({ env: () => undefined, config: '/nonexistent' }));

/** The client of REST for what `github` serves. Its seconds pass quickly. */
export const restOf = (
  github: GitHubEmulator,
  log: MemoryLog,
  more: { patience?: number; fetch?: typeof fetch; signal?: AbortSignal; second?: number } = {},
): RestCaches =>
  restCaches({
    ...{ url: github.url, token: github.token, repository: 'org/app', fetch: plainFetch, log, second: 10 },
    signal: new AbortController().signal,
    ...more,
  });

export interface StoreOptions {
  readonly job?: Partial<JobRun>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly github?: GitHubEmulator;
  /** Milliseconds since 1970. Default: the machine's clock. */
  readonly now?: () => number;
  /** Which of its processes no signal reaches, counted from 1. Default: none. */
  readonly deaf?: number;
}

export interface StoreScene {
  readonly store: GitHubStore;
  readonly log: MemoryLog;
  readonly cancel: () => void;
  /** Lines of the log but for what only debugging shows. */
  said(): string[];
  /** Temporary folders that are left. */
  leftovers(): Promise<string[]>;
}

/** A job's store, whose process is the program of this checkout. */
export const openStore = async (results: ResultsEmulator, options: StoreOptions = {}): Promise<StoreScene> => {
  const temp = await newFolder();
  const log = memoryLog();
  const controller = new AbortController();
  let calls = 0;
  const environment: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'hurry.mjs')).href}`,
    ...results.environment({ run: 7, job: 'build', ...options.job }),
    ...options.env,
  };
  const exec = createExec({ env: environment, signal: controller.signal });
  const deafExec = createExec({ env: environment, signal: new AbortController().signal });
  let processes = 0;
  const store = new GitHubStore({
    exec: (...args) => {
      processes += 1;
      return processes === options.deaf ? deafExec(...args) : exec(...args);
    },
    env: (name) => environment[name] || undefined,
    program: pathToFileURL(join(ROOT, 'src/main.ts')),
    log,
    signal: controller.signal,
    clock: { ...systemClock, ...(options.now && { now: options.now }) },
    tempDir: async () => {
      calls += 1;
      // The first is for what outlives a transfer.
      return calls === 1 ? compiled : await mkdtemp(join(temp, 'part-'));
    },
    rest: options.github && restOf(options.github, log),
  });
  const said = () => log.lines.filter((line) => !/^(?:@actions\/cache: |GitHub does not say )/.test(line));
  return { store, log, said, cancel: () => controller.abort(), leftovers: () => readdir(temp) };
};
