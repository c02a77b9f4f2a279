import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Closure } from '../../src/definition/closure.ts';
import { parsePathInfo } from '../../src/nix/path-info.ts';
import { beginWithRelease, SCRATCH } from '../begin.ts';
import { homeEnvironment, makeHome } from '../environment.ts';
import { FIXTURES } from '../fixture/fixture.ts';
import { fetchPackages } from '../fixture/packages.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { quiet } from '../machine.ts';
import { startTimed } from '../measure/timed.ts';
import type { Options } from '../options.ts';
import { layersOf } from '../registry/output.ts';
import { startRegistry } from '../registry/registry.ts';
import { PROGRAM } from '../release.ts';
import { median } from '../statistics.ts';
import { inTurns } from '../turns.ts';
import { RULES, type Shared, shareBy } from './rules.ts';
import { fleetSets } from './sets.ts';

const run = promisify(execFile);

const FLEET_FILE = join(import.meta.dirname, 'fleet.nix');

/** Paths of closures and what Nix says while it builds them. */
const OUTPUT_BYTES = 1 << 27;

/** Bytes that may be sent for each byte of the different layers, seconds for each second of the one image that holds everything, and how often a layer may be made. */
export const MOST = { sent: 1.02, wall: 1.3, compressed: 1 } as const;

const builtSchema = z.union([
  z.object({ images: z.array(z.object({ name: z.string(), digest: z.string(), bytesSent: z.number() })) }),
  z.object({ name: z.string(), digest: z.string(), bytesSent: z.number() }).transform((one) => ({ images: [one] })),
]);

/** One build of all images, or of the one that holds everything, into an empty registry. */
export interface FleetRun {
  readonly kind: 'fleet' | 'union';
  readonly wallSeconds: number;
  /** User and system time of the program and what it started. */
  readonly cpuSeconds: number;
  /** The same of the registry, and the requests that it answered. */
  readonly registryCpuSeconds: number;
  readonly requests: number;
  /** Of blobs, over all images. */
  readonly bytesSent: number;
  readonly layers: number;
  readonly distinct: number;
  /** Layers that the program says it made, over all images. */
  readonly compressed: number;
  /** Compressed, each layer once. */
  readonly distinctBytes: number;
  /** Largest memory of the program and what it started, in bytes. */
  readonly memory: number;
}

export interface FleetResult {
  readonly runs: readonly FleetRun[];
  readonly shared: readonly Shared[];
  readonly loadBefore: number;
}

const medianOf = (runs: readonly FleetRun[], kind: FleetRun['kind'], of: (run: FleetRun) => number): number =>
  median(runs.filter((one) => one.kind === kind).map(of));

/** What is compared with the bounds. */
export function fleetRatios({ runs }: Pick<FleetResult, 'runs'>) {
  const distinct = medianOf(runs, 'fleet', ({ distinctBytes }) => distinctBytes);
  const union = medianOf(runs, 'union', ({ distinctBytes }) => distinctBytes);
  return {
    sent: medianOf(runs, 'fleet', ({ bytesSent }) => bytesSent) / distinct,
    /** Beside the layers of one image that has every path once. */
    stored: distinct / union,
    wall:
      medianOf(runs, 'fleet', ({ wallSeconds }) => wallSeconds) /
      medianOf(runs, 'union', ({ wallSeconds }) => wallSeconds),
    compressed:
      medianOf(runs, 'fleet', ({ compressed }) => compressed) / medianOf(runs, 'fleet', ({ distinct: count }) => count),
  };
}

/** How many layers a build says it made: one line an image, `12 new layers, 3.4 MB`. */
export const madeLayers = (said: string): number =>
  [...said.matchAll(/: (\d+) new layers?, /g)].reduce((sum, [, count]) => sum + Number(count), 0);

/** Names of the bounds that were missed. */
export function missedFleet(result: Pick<FleetResult, 'runs'>): string[] {
  const ratios = fleetRatios(result);
  return (['sent', 'wall', 'compressed'] as const).filter((name) => !(ratios[name] <= MOST[name]));
}

/** As a person reads it. */
export function fleetText(result: FleetResult): string {
  const { runs, shared, loadBefore } = result;
  const { sent, stored, wall, compressed } = fleetRatios(result);
  const of = (kind: FleetRun['kind'], what: (one: FleetRun) => number): number => medianOf(runs, kind, what);
  const seconds = (kind: FleetRun['kind']): string => of(kind, ({ wallSeconds }) => wallSeconds).toFixed(2);
  const verdict = (isReached: boolean): string => (isReached ? 'reached' : 'missed');
  return [
    `load at the start ${loadBefore.toFixed(2)}; ${runs.length / 2} runs, medians`,
    `all images      ${seconds('fleet')} s, ${of('fleet', ({ layers }) => layers)} layers, ${of('fleet', ({ distinct }) => distinct)} different`,
    `one with all    ${seconds('union')} s, ${of('union', ({ layers }) => layers)} layers`,
    ...(['fleet', 'union'] as const).map(
      (kind) =>
        `${kind === 'fleet' ? 'all images    ' : 'one with all  '}  ${of(kind, ({ cpuSeconds }) => cpuSeconds).toFixed(2)} s of CPU, the registry's ${of(kind, (run) => run.registryCpuSeconds).toFixed(2)} s, ${of(kind, ({ requests }) => requests)} requests`,
    ),
    `memory          ${Math.round(of('fleet', ({ memory }) => memory) / 1e6)} MB, one with all ${Math.round(of('union', ({ memory }) => memory) / 1e6)} MB`,
    `sent / different layers        ${sent.toFixed(3)}, at most ${MOST.sent}: ${verdict(sent <= MOST.sent)}`,
    `compressed / different layers  ${compressed.toFixed(3)} (${of('fleet', (run) => run.compressed)}), at most ${MOST.compressed}: ${verdict(compressed <= MOST.compressed)}`,
    `different layers / one with all ${stored.toFixed(3)}`,
    `seconds / one with all         ${wall.toFixed(2)}, at most ${MOST.wall}: ${verdict(wall <= MOST.wall)}`,
    '',
    'rule | layers | different | bytes / bytes of the paths | after a change / changed bytes',
    ...shared.map(
      ({ rule, layers, distinct, overhead, changed }) =>
        `${rule} | ${layers} | ${distinct} | ${overhead.toFixed(3)} | ${changed.toFixed(2)}`,
    ),
  ].join('\n');
}

/** Makes the images of the fleet, and builds them in one job and in one image, into empty registries. Throws what a command says that fails. */
export async function measureFleet(options: Options, work: string, log: (line: string) => void): Promise<FleetResult> {
  const env = await beginWithRelease(work, log);
  const { folder, hashes } = await fetchPackages(FIXTURES[options.fixture], systemOfMachine(), work, log);
  const sets = fleetSets(options.fixture);
  const wordsFor = (more: Readonly<Record<string, string>> = {}): string[] =>
    Object.entries({
      sets: JSON.stringify(sets),
      packages: folder,
      hashes,
      hostSystem: systemOfMachine(),
      ...more,
    }).flatMap(([name, value]) => ['--argstr', name, value]);
  const closuresOf = async (state: string, words: readonly string[]): Promise<Closure[]> => {
    const link = join(work, options.fixture, `fleet-${state}`);
    await mkdir(join(link, '..'), { recursive: true });
    log(`making the images of the fleet, ${state}`);
    const build = [FLEET_FILE, '--attr', 'apps', '--out-link', link, '--max-jobs', '2', ...words];
    const options_ = { env: { ...process.env, ...env }, maxBuffer: OUTPUT_BYTES };
    const { stdout } = await run('nix-build', build, options_);
    const apps = stdout.trim().split('\n').slice(0, -1);
    return Promise.all(apps.map((app) => closureOf(app, options_)));
  };
  const base = await closuresOf('base', wordsFor());
  const after = await closuresOf('changed', wordsFor({ rebuilt: 'libssl3', revision: '1' }));
  const shared = shareBy(RULES, base, after);
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const loadBefore = await quiet(log);
    const runs: FleetRun[] = [];
    for (const { thing: kind, round } of inTurns(['fleet', 'union'] as const, options.runs, () => false)) {
      const names = kind === 'fleet' ? Object.keys(sets) : ['union'];
      const done = await buildOnce(kind, names, wordsFor(), { scratch, env });
      runs.push(done);
      log(`${kind}, ${round + 1}: ${done.wallSeconds.toFixed(2)} s, ${done.distinct} layers`);
    }
    return { runs, shared, loadBefore };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function closureOf(app: string, options: { readonly env: NodeJS.ProcessEnv; readonly maxBuffer: number }) {
  const { stdout } = await run(
    'nix',
    ['--extra-experimental-features', 'nix-command', 'path-info', '--json', '--recursive', app],
    options,
  );
  const infos = [...parsePathInfo(stdout).values()].filter((info) => info !== null);
  return infos.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function buildOnce(
  kind: FleetRun['kind'],
  names: readonly string[],
  words: readonly string[],
  { scratch, env }: { readonly scratch: string; readonly env: Readonly<Record<string, string>> },
): Promise<FleetRun> {
  const folder = await mkdtemp(join(scratch, 'run-'));
  const home = join(folder, 'home');
  await makeHome(home);
  const registry = await startRegistry(join(folder, 'registry'));
  try {
    const args = [
      PROGRAM,
      'build',
      ...['--file', FLEET_FILE, '--system', systemOfMachine(), '--systems', systemOfMachine(), '--json'],
      ...names.flatMap((name) => ['--attr', name]),
      ...['--to', `docker://${registry.host}/{name}`, '--out', join(folder, 'handovers')],
      ...words.map((word) => `--nix-arg=${word}`),
    ];
    const command = { program: process.execPath, args, env: { ...env, ...homeEnvironment(home) } };
    const before = await registry.counters();
    const { child, ended } = startTimed(command, scratch, ['ignore', 'pipe', 'pipe']);
    const said = child.stdout ? text(child.stdout) : Promise.resolve('');
    let log = '';
    child.stderr?.on('data', (more) => {
      log += more;
    });
    const { wallSeconds, cpuSeconds, tree } = await ended;
    const registryCpuSeconds = (await registry.counters()).cpuSeconds - before.cpuSeconds;
    const { images } = builtSchema.parse(JSON.parse(await said));
    const layers = await Promise.all(images.map(({ name, digest }) => layersOf(registry.host, name, digest)));
    const different = new Map(layers.flat().map(({ digest, size }) => [digest, size]));
    return {
      ...{ kind, wallSeconds, cpuSeconds, registryCpuSeconds },
      requests: await registry.stop(),
      memory: tree,
      bytesSent: images.reduce((sum, image) => sum + image.bytesSent, 0),
      layers: layers.flat().length,
      distinct: different.size,
      compressed: madeLayers(log),
      distinctBytes: [...different.values()].reduce((sum, size) => sum + size, 0),
    };
  } finally {
    await registry.stop().catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}
