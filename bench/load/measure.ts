import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SCRATCH } from '../begin.ts';
import { homeEnvironment, makeHome } from '../environment.ts';
import { evaluationCommand } from '../fixture/evaluation.ts';
import { IMAGE_FILE } from '../fixture/image-file.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { archiveCommand, type MadeInputs } from '../inputs/inputs.ts';
import { quiet } from '../machine.ts';
import { beginWithVersions } from '../made-versions.ts';
import type { Command } from '../measure/command.ts';
import { repeated } from '../measure/repeated.ts';
import { timed } from '../measure/timed.ts';
import type { Usage } from '../measure/usage.ts';
import type { Options } from '../options.ts';
import { PROGRAM } from '../release.ts';
import { inTurns } from '../turns.ts';
import { type EngineName, type LoadResult, type LoadRun, type LoadStep, STEPS } from './result.ts';

type Way = LoadRun['way'];

/** What a step loads, beside what the engine has by then. */
const STATE = { cold: 'base', unchanged: 'base', leaf: 'leaf' } as const satisfies Record<LoadStep, string>;

interface World {
  readonly engine: EngineName;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
}

/** `nix-images load` of one version. */
const ownCommand = ({ nixWords }: MadeInputs, { engine, env }: World): Command => ({
  program: process.execPath,
  args: [
    ...[PROGRAM, 'load', '--engine', engine, '--file', IMAGE_FILE, '--attr', 'image', '--system', systemOfMachine()],
    ...nixWords.map((word) => `--nix-arg=${word}`),
  ],
  env,
});

/** Takes docker's images away again, of which a name and, once another has the name, none stay; podman's are in a folder of the run. */
async function forget({ engine, env, folder }: World): Promise<void> {
  if (engine === 'podman') return;
  // It is not there before the first run.
  for (const args of [
    ['rmi', '--force', 'bench:latest'],
    ['image', 'prune', '--force'],
  ])
    await timed({ program: 'docker', args, env }, folder).catch(() => undefined);
}

/** An archive is written and loaded, as after every `nix build` of one of dockerTools; what has not changed is written already. */
async function peerStep(inputs: MadeInputs, step: LoadStep, { engine, env, folder }: World) {
  const archive = join(folder, 'archive.tar');
  let made = 0;
  if (step !== 'unchanged') {
    await rm(archive, { force: true });
    made = (await timed(archiveCommand({ ...inputs, archive }), folder)).wallSeconds;
  }
  return { made, loaded: await timed({ program: engine, args: ['load', '--input', archive], env }, folder) };
}

/** One way from an empty store on: everything, the same again, a changed leaf. */
async function runWay(
  way: Way,
  round: number,
  versions: Readonly<Record<'base' | 'leaf', { readonly inputs: MadeInputs }>>,
  world: World,
): Promise<LoadRun[]> {
  const runs: LoadRun[] = [];
  for (const step of STEPS) {
    const { inputs } = versions[STATE[step]];
    const { made, loaded }: { made: number; loaded: Usage } =
      way === 'own'
        ? { made: 0, loaded: await timed(ownCommand(inputs, world), world.folder) }
        : await peerStep(inputs, step, world);
    const { wallSeconds, largestProcess: memory } = loaded;
    runs.push({ engine: world.engine, way, step, round, madeSeconds: made, loadSeconds: wallSeconds, memory });
  }
  return runs;
}

/** Podman always; docker where a daemon is named, of which images that have no name are taken away. */
function enginesHere(log: (line: string) => void): readonly EngineName[] {
  if (process.env.DOCKER_HOST !== undefined) return ['podman', 'docker'];
  log('docker is left out: DOCKER_HOST is to name a daemon that has no images of yours');
  return ['podman'];
}

/** Loads the closure into engines, by `load` and as an archive, in turns. Throws what a command says that fails. */
export async function measureLoad(options: Options, work: string, log: (line: string) => void): Promise<LoadResult> {
  const { env, versions } = await beginWithVersions(options, work, log);
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const engines = enginesHere(log);
    const loadBefore = await quiet(log);
    const evaluation = await repeated(evaluationCommand(versions.leaf.inputs.nixWords, env), options.runs, scratch);
    const turns = engines.flatMap((engine) => (['own', 'archive'] as const).map((way) => ({ engine, way })));
    const runs: LoadRun[] = [];
    for (const { thing, round } of inTurns(turns, options.runs, () => false)) {
      const { engine, way } = thing;
      const folder = await mkdtemp(join(scratch, 'run-'));
      const world = { engine, env: { ...env, ...(await freshHome(folder)) }, folder };
      try {
        await forget(world);
        const found = await runWay(way, round, versions, world);
        runs.push(...found);
        log(`${engine}, ${way}, ${round + 1}: ${found.map((run) => `${run.step} ${secondsOf(run)}`).join(', ')}`);
      } finally {
        await forget(world);
        await rm(folder, { recursive: true, force: true });
      }
    }
    return { evaluation: evaluation.wallSeconds, runs, loadBefore };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const secondsOf = ({ madeSeconds, loadSeconds }: LoadRun): string => (madeSeconds + loadSeconds).toFixed(2);

/** A home and a podman of a run's own, with nothing in them. */
async function freshHome(folder: string): Promise<Record<string, string>> {
  const home = join(folder, 'home');
  await makeHome(home);
  const storage = join(folder, 'storage.conf');
  const places = `graphroot = "${folder}/graph"\nrunroot = "${folder}/run"\n`;
  await writeFile(storage, `[storage]\ndriver = "overlay"\n${places}`);
  return { ...homeEnvironment(home), CONTAINERS_STORAGE_CONF: storage };
}
