import { spawn } from 'node:child_process';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { countersOf, type ProcessCounters } from '../measure/process-counters.ts';
import { countRequests } from './access-log.ts';
import { AGENT } from './output.ts';

/** It starts within 0.1 s on a quiet machine. */
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 10;

export interface Registry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly port: number;
  counters(): Promise<ProcessCounters>;
  /** Ends it and gives the number of requests that it answered, our own look at the result apart. */
  stop(): Promise<number>;
}

const configText = (storage: string, port: number): string =>
  JSON.stringify({
    version: '0.1',
    // The address in use stands in a line of this level.
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: storage } },
    http: { addr: `127.0.0.1:${port}` },
  });

/** Starts Debian's docker-registry (distribution 2.8) on loopback, on a free port unless told, with its files in `folder`. */
export async function startRegistry(folder: string, port = 0): Promise<Registry> {
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'config.yml');
  const logFile = join(folder, 'log');
  await writeFile(config, configText(join(folder, 'storage'), port));
  // To a file: a pipe would have this process wake up for each line while it measures.
  const log = await open(logFile, 'w');
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', log.fd, log.fd] });
  const ended = new Promise<void>((resolve, reject) => child.once('error', reject).once('close', () => resolve()));
  await log.close();
  const deadline = Date.now() + START_TIMEOUT_MS;
  const listening = async (): Promise<number> => {
    const text = await readFile(logFile, 'utf8');
    const found = /listening on 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
    if (found !== undefined) return Number(found);
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`docker-registry does not start:\n${text}`);
    }
    await sleep(POLL_MS);
    return listening();
  };
  const used = await Promise.race([listening(), ended.then(listening)]);
  return {
    host: `127.0.0.1:${used}`,
    port: used,
    counters: () => countersOf(child.pid ?? 0),
    async stop() {
      child.kill('SIGTERM');
      await ended;
      return countRequests(await readFile(logFile, 'utf8'), AGENT);
    },
  };
}

/** Where a registry in `folder` keeps its blobs. */
export const storageOf = (folder: string): string => join(folder, 'storage');
