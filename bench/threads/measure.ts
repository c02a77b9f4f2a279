import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { layerRecord } from '../../src/definition/layer-record.ts';
import { SCRATCH } from '../begin.ts';
import { homeEnvironment, makeHome } from '../environment.ts';
import type { MadeInputs } from '../inputs/inputs.ts';
import { quiet } from '../machine.ts';
import { beginWithVersions } from '../made-versions.ts';
import { watchMainThread } from '../measure/main-thread.ts';
import { startTimed } from '../measure/timed.ts';
import type { Options } from '../options.ts';
import { layersOf } from '../registry/output.ts';
import { startRegistry } from '../registry/registry.ts';
import { versionIn } from '../subjects/newer-skopeo.ts';
import { own } from '../subjects/own.ts';
import { skopeo } from '../subjects/skopeo.ts';
import type { Subject } from '../subjects/subject.ts';
import { inTurns } from '../turns.ts';
import { firstProcessors } from './cores.ts';
import { CODECS, type ThreadRun, type ThreadsResult, WHO } from './result.ts';

const run = promisify(execFile);

interface Turn extends Pick<ThreadRun, 'who' | 'codec' | 'threads'> {
  readonly subject: Subject;
}

interface World {
  readonly inputs: MadeInputs;
  readonly scratch: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Publishes the closure into empty registries with each number of threads, and has skopeo push it, in turns. Throws what a command says that fails. */
export async function measureThreads(
  options: Options,
  work: string,
  log: (line: string) => void,
): Promise<ThreadsResult> {
  const {
    env,
    versions: { base },
  } = await beginWithVersions(options, work, log);
  const { layers } = base.inputs.layout.manifest;
  const version = versionIn((await run('skopeo', ['--version'])).stdout);
  const subjectOf = (who: Turn['who'], codec: Turn['codec']): Subject =>
    who === 'skopeo' ? skopeo({ version, words: ['skopeo'] }, 'layers', codec) : own(codec, codec, '');
  const turns = CODECS.flatMap((codec) =>
    WHO.flatMap((who) =>
      options.threads.map((threads): Turn => ({ who, codec, threads, subject: subjectOf(who, codec) })),
    ),
  );
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const loadBefore = await quiet(log);
    const runs: ThreadRun[] = [];
    for (const { thing, round } of inTurns(turns.filter(isOfUse), options.runs, () => false)) {
      const done = await publishOnce(thing, { inputs: base.inputs, scratch, env });
      runs.push(done);
      const { who, codec, threads, wallSeconds } = done;
      log(`${codec}, ${who}, ${threads} threads, ${round + 1}: ${wallSeconds.toFixed(2)} s`);
    }
    const tarBytes = layers.reduce((sum, layer) => sum + (layerRecord(layer)?.unpackedSize ?? 0), 0);
    return { runs, cores: availableParallelism(), tarBytes, loadBefore };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A peer has as many threads as cores, whatever it is told. */
const isOfUse = ({ who, threads }: Turn): boolean => who === 'nix-images' || threads <= availableParallelism();

async function publishOnce(
  { subject, who, codec, threads }: Turn,
  { inputs, scratch, env }: World,
): Promise<ThreadRun> {
  const folder = await mkdtemp(join(scratch, 'run-'));
  const home = join(folder, 'home');
  await makeHome(home);
  // What earlier runs wrote goes to the disk now, not while this one is measured.
  await run('sync');
  const registry = await startRegistry(join(folder, 'registry'));
  try {
    const reference = `${registry.host}/bench:latest`;
    const [command] = subject.commands({ state: 'base', inputs, reference, scratch: folder });
    if (command === undefined) throw new Error(`${subject.name} has no command`);
    const cores = firstProcessors(await readFile('/proc/self/status', 'utf8'), threads);
    const pinned =
      cores === undefined
        ? command
        : { ...command, program: 'taskset', args: ['--cpu-list', cores, command.program, ...command.args] };
    const all = { ...env, ...homeEnvironment(home), ...command.env, NIX_IMAGES_THREADS: String(threads) };
    const { child, ended } = startTimed({ ...pinned, env: all }, folder);
    const main = watchMainThread(child.pid ?? 0);
    const { wallSeconds, cpuSeconds, largestProcess } = await ended.finally(() => main.stop());
    const layers = await layersOf(registry.host, 'bench', 'latest');
    return {
      ...{ who, codec, threads, wallSeconds, cpuSeconds },
      mainSeconds: who === 'nix-images' ? main.stop() : undefined,
      memory: largestProcess,
      layers: layers.map(({ digest }) => digest),
    };
  } finally {
    await registry.stop().catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}
