import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { SCRATCH } from '../begin.ts';
import { homeEnvironment, makeHome } from '../environment.ts';
import { IMAGE_FILE } from '../fixture/image-file.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { quiet } from '../machine.ts';
import { beginWithVersions } from '../made-versions.ts';
import { startTimed, timed } from '../measure/timed.ts';
import type { Options } from '../options.ts';
import { startRegistry } from '../registry/registry.ts';
import { PROGRAM } from '../release.ts';
import { median } from '../statistics.ts';
import { publishWords } from '../subjects/own.ts';
import { inTurns } from '../turns.ts';

const run = promisify(execFile);

/** What is run in turns: a pull from docker-registry of what was published to it, and one from serve. */
const KINDS = ['registry', 'serve'] as const;

type Kind = (typeof KINDS)[number];

/** Most milliseconds from asking for a layer to its first byte, and most memory of the process that serves, in bytes. */
const LIMITS = { firstByte: 50, memory: 200e6 };

/** Layers, the largest first, whose first byte is waited for. */
const LAYERS_ASKED = 10;

interface ServeResult {
  /** Seconds from the definition to the end of the pull: publish and pull, or the start of serve, naming the layers and the pull. */
  readonly cold: Readonly<Record<Kind, number>>;
  /** The same where the digests of the layers are remembered. */
  readonly again: number;
  /** Milliseconds; the slowest of the layers that were asked for. */
  readonly firstByte: number;
  /** Bytes. */
  readonly memory: number;
  readonly runs: number;
  readonly loadBefore: number;
}

export const missedServe = ({ cold, firstByte, memory }: ServeResult): readonly string[] => [
  ...(cold.serve > cold.registry ? ['cold pull'] : []),
  ...(firstByte > LIMITS.firstByte ? ['first byte'] : []),
  ...(memory > LIMITS.memory ? ['memory'] : []),
];

/** As a person reads it. */
export const serveText = (result: ServeResult): string => {
  const { cold, again, firstByte, memory, runs, loadBefore } = result;
  const missed = missedServe(result);
  return [
    `seconds from the definition to the end of skopeo's pull, median of ${runs}; load at the start ${loadBefore.toFixed(2)}`,
    `publish to docker-registry, then pull  ${cold.registry.toFixed(2)}`,
    `pull from serve, nothing remembered    ${cold.serve.toFixed(2)}`,
    `pull from serve, digests remembered    ${again.toFixed(2)}`,
    `first byte of a layer, at most         ${firstByte.toFixed(1)} ms (limit ${LIMITS.firstByte})`,
    `memory of serve, at most               ${(memory / 1e6).toFixed(0)} MB (limit ${LIMITS.memory / 1e6})`,
    missed.length === 0 ? 'all reached' : `missed: ${missed.join(', ')}`,
  ].join('\n');
};

interface World {
  readonly nixWords: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
}

/** Pulls into a folder as skopeo does, layers as they are. */
const pull = (host: string, { env, folder }: World) =>
  timed(
    {
      program: 'skopeo',
      args: [
        'copy',
        '--src-tls-verify=false',
        `docker://${host}/bench:latest`,
        `dir:${join(folder, `pulled-${crypto.randomUUID()}`)}`,
      ],
      env,
    },
    folder,
  );

/** What was written before goes to the disk now, not while the next part is measured: a pull leaves 2.6 GB that wait to be written. */
const settle = (): Promise<unknown> => run('sync');

async function fromRegistry(world: World): Promise<number> {
  const registry = await startRegistry(join(world.folder, 'registry'));
  try {
    const words = publishWords(world.nixWords, 'zstd', `docker://${registry.host}/bench:latest`);
    const published = await timed({ program: process.execPath, args: words, env: world.env }, world.folder);
    return published.wallSeconds + (await pull(registry.host, world)).wallSeconds;
  } finally {
    await registry.stop();
  }
}

/** Serves while `work` runs; gives the memory that the process held at most. */
async function whileServed(world: World, work: (host: string) => Promise<void>): Promise<number> {
  const words = ['--file', IMAGE_FILE, '--attr', 'image', '--system', systemOfMachine(), '--port', '0'];
  const nix = world.nixWords.map((word) => `--nix-arg=${word}`);
  const command = { program: process.execPath, args: [PROGRAM, 'serve', ...words, ...nix], env: world.env };
  const { child, ended } = startTimed(command, world.folder);
  let said = '';
  child.stderr?.on('data', (text) => {
    said += text;
  });
  let host: string | undefined;
  while (host === undefined) {
    await sleep(5);
    host = /at http:\/\/(\S+) until/.exec(said)?.[1];
    if (host === undefined && child.exitCode !== null) throw new Error(said);
  }
  try {
    await work(host);
  } finally {
    await interruptChildOf(child.pid ?? 0);
  }
  return (await ended).largestProcess;
}

/** GNU time passes no signal on. */
async function interruptChildOf(pid: number): Promise<void> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  for (const child of children.trim().split(' ').filter(Boolean)) process.kill(Number(child), 'SIGINT');
}

interface Manifest {
  readonly manifests: readonly { readonly digest: string }[];
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

/** Milliseconds until the first byte of each of the largest layers; the slowest. */
async function firstByte(host: string): Promise<number> {
  const headers = { accept: 'application/vnd.oci.image.index.v1+json' };
  const get = async (path: string): Promise<Manifest> =>
    (await (await fetch(`http://${host}/v2/bench/${path}`, { headers })).json()) as Manifest;
  const { manifests } = await get('manifests/latest');
  const { layers } = await get(`manifests/${manifests[0]?.digest}`);
  let slowest = 0;
  for (const { digest } of [...layers].sort((a, b) => b.size - a.size).slice(0, LAYERS_ASKED)) {
    const began = performance.now();
    const ended = new AbortController();
    const { body } = await fetch(`http://${host}/v2/bench/blobs/${digest}`, { signal: ended.signal });
    await body?.getReader().read();
    slowest = Math.max(slowest, performance.now() - began);
    ended.abort();
  }
  return slowest;
}

/** Pulls the closure cold from both, in turns. Throws what a command says that fails. */
export async function measureServe(options: Options, work: string, log: (line: string) => void): Promise<ServeResult> {
  const {
    env,
    versions: { base },
  } = await beginWithVersions(options, work, log);
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const loadBefore = await quiet(log);
    const cold: Record<Kind, number[]> = { registry: [], serve: [] };
    const again: number[] = [];
    const bytes: number[] = [];
    const memory: number[] = [];
    for (const { thing: kind, round } of inTurns(KINDS, options.runs, () => false)) {
      const folder = await mkdtemp(join(scratch, 'run-'));
      const home = join(folder, 'home');
      await makeHome(home);
      const world = { nixWords: base.inputs.nixWords, env: { ...env, ...homeEnvironment(home) }, folder };
      try {
        if (kind === 'registry') {
          await settle();
          cold.registry.push(await fromRegistry(world));
        } else {
          for (const seconds of [cold.serve, again]) {
            await settle();
            const began = performance.now();
            const held = await whileServed(world, async (host) => {
              await pull(host, world);
              seconds.push((performance.now() - began) / 1000);
              if (seconds === again) bytes.push(await firstByte(host));
            });
            memory.push(held);
          }
        }
        log(`${kind}, ${round + 1}: ${cold[kind].at(-1)?.toFixed(2)} s`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    return {
      cold: { registry: median(cold.registry), serve: median(cold.serve) },
      again: median(again),
      firstByte: Math.max(...bytes),
      memory: Math.max(...memory),
      runs: options.runs,
      loadBefore,
    };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
