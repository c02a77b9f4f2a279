import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefaultArtifactClient } from '@actions/artifact';
import { onTestFinished, vi } from 'vitest';
import { type Artifacts, createArtifacts } from '../../../src/github/artifacts.ts';
import type { ResultsEmulator } from '../../emulators/results/emulator.ts';
import type { JobRun } from '../../emulators/results/tokens.ts';
import { sha256 } from '../../support/bytes.ts';
import { type MemoryLog, memoryLog } from '../../support/memory-log.ts';

/** A file of random bytes, in which no two blocks are equal: an order of blocks that is not theirs is seen. */
export const randomFile = async (folder: string, size: number): Promise<{ path: string; digest: string }> => {
  const bytes = randomBytes(size);
  const path = join(folder, `${randomBytes(4).toString('hex')}.bin`);
  await writeFile(path, bytes);
  return { path, digest: sha256(bytes) };
};

export const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'nix-images-artifacts-'));

export interface TestJob {
  readonly artifacts: Artifacts;
  readonly client: DefaultArtifactClient;
  readonly log: MemoryLog;
  readonly cancel: () => void;
  /** What the client wrote to standard output. */
  readonly written: string[];
}

/**
 * Makes this process the job, until the test ends: the real client reads the process's environment and writes to its
 * standard output. One job at a time; for more at once there is job.ts.
 */
export const becomeJob = (results: ResultsEmulator, job: JobRun, changes: Record<string, string> = {}): TestJob => {
  const environment = { ...results.environment(job), ...changes };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const written: string[] = [];
  const output = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  onTestFinished(() => {
    output.mockRestore();
    vi.unstubAllEnvs();
  });
  const folders: string[] = [];
  const tempDir = async (): Promise<string> => {
    const folder = await newFolder();
    folders.push(folder);
    return folder;
  };
  onTestFinished(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  const log = memoryLog();
  const controller = new AbortController();
  const client = new DefaultArtifactClient();
  const artifacts = createArtifacts({
    loadClient: async () => client,
    env: (name) => process.env[name] || undefined,
    log,
    signal: controller.signal,
    tempDir,
    // Its waits are ours, not the client's; the service of the tests needs none.
    clock: { now: () => Date.now(), sleep: async () => undefined, random: () => 0.5 },
  });
  return { artifacts, client, log, written, cancel: () => controller.abort() };
};

/** How much faster than on GitHub the client's long waits pass. */
const HASTE = 50;

/**
 * Makes waits of a second and more pass quickly until the test ends, and notes them in milliseconds. The client has no
 * option for its waits, and five tries take it half a minute up to three minutes.
 */
export const hurry = (): number[] => {
  const real = globalThis.setTimeout;
  const waits: number[] = [];
  const quick = (callback: () => void, milliseconds: number = 0, ...rest: unknown[]): NodeJS.Timeout => {
    if (milliseconds < 1000) return real(callback, milliseconds, ...(rest as []));
    waits.push(milliseconds);
    return real(callback, milliseconds / HASTE, ...(rest as []));
  };
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(quick as typeof setTimeout);
  onTestFinished(() => {
    spy.mockRestore();
  });
  return waits;
};

/** Routes that were asked for, with their status. */
export const trace = (results: ResultsEmulator): string[] =>
  results.requests.map(({ route, status }) => `${route} ${status}`);
