import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { nixConfig } from '../../scripts/setup/nix-config.mjs';
import { sizeText } from '../../src/core/size.ts';
import { standInDisk } from '../../test/support/stand-in-disk.ts';
import { SCRATCH } from '../begin.ts';
import { FIXTURES, type FixtureName } from '../fixture/fixture.ts';
import { IMAGE_FILE, imageArguments } from '../fixture/image-file.ts';
import { fetchPackages } from '../fixture/packages.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { quiet } from '../machine.ts';
import { timed } from '../measure/timed.ts';
import type { Usage } from '../measure/usage.ts';
import { startRegistry } from '../registry/registry.ts';
import { PROGRAM } from '../release.ts';
import { markdownTable } from '../report/table.ts';

/** Of one process, whatever the disk. */
const MOST_MEMORY = 200e6;

const STEPS = ['build', 'publish', 'pull'] as const;

type Step = (typeof STEPS)[number];

export interface CommandsResult {
  readonly loadBefore: number;
  /** Of each command, in each round. */
  readonly usages: Readonly<Record<Step, readonly Usage[]>>;
  /** What the pulled file takes on its disk. */
  readonly dataBytes: number;
}

/**
 * Runs what a release has for a disk with the fixture's closure, whole commands each: `build` into a handover that holds the chunks, `publish` of
 * that to a registry on loopback, and `pull` from there.
 */
export async function measureCommands(
  fixture: FixtureName,
  { runs, work, log }: { readonly runs: number; readonly work: string; readonly log: (line: string) => void },
): Promise<CommandsResult> {
  const scratch = await mkdtemp(join(work, SCRATCH));
  const system = systemOfMachine();
  const at = (name: string): string => join(scratch, name);
  try {
    await writeFile(at('disk.nix'), await diskFile(fixture, work, log));
    const loadBefore = runs > 1 ? await quiet(log) : (loadavg()[0] ?? 0);
    const usages: Record<Step, Usage[]> = { build: [], publish: [], pull: [] };
    let dataBytes = 0;
    for (let round = 0; round < runs; round += 1) {
      const registry = await startRegistry(at(`registry-${round}`));
      const run = async (step: Step, ...words: string[]): Promise<void> => {
        const env = { NIX_CONFIG: nixConfig(), XDG_STATE_HOME: at('state') };
        const args = [PROGRAM, step, ...words, '--system', system];
        const usage = await timed({ program: process.execPath, args, env }, scratch);
        usages[step].push(usage);
        log(`${step}, ${round + 1}: ${usage.wallSeconds.toFixed(2)} s, ${sizeText(usage.largestProcess)}`);
      };
      try {
        const published = `${registry.host}/vm:1`;
        await run('build', '--file', at('disk.nix'), '--attr', 'disk', '--test-with', 'none', '--out', at('handover'));
        await run('publish', '--from', at('handover'), '--to', published);
        await run('pull', published, at('vm.raw'));
        dataBytes = (await stat(at('vm.raw'))).blocks * 512;
      } finally {
        await registry.stop();
        for (const name of [`registry-${round}`, 'handover', 'vm.raw'])
          await rm(at(name), { recursive: true, force: true });
      }
    }
    return { loadBefore, usages, dataBytes };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A Nix file whose attribute `disk` is the stand-in disk with the app of the fixture in its store. */
async function diskFile(fixture: FixtureName, work: string, log: (line: string) => void): Promise<string> {
  const { nix } = await standInDisk({ system: systemOfMachine(), log });
  const packages = await fetchPackages(FIXTURES[fixture], systemOfMachine(), work, log);
  const callOf = (file: string, words: readonly string[]): string => {
    const pairs = words.flatMap((word, index) => (index % 3 === 1 ? [[word, words[index + 1] ?? '']] : []));
    return `import ${file} { ${pairs.map(([name, value]) => `${name} = ${JSON.stringify(value)};`).join(' ')} }`;
  };
  return `
    let
      inherit (${callOf(nix.file, nix.args)}) disk;
      inherit (${callOf(IMAGE_FILE, imageArguments(fixture, packages, 'base'))}) app;
      plain = builtins.unsafeDiscardStringContext;
      root = { drvPath = plain app.drvPath; output = "out"; outPath = plain app.outPath; };
    in
    { disk = disk // { roots = disk.roots ++ [ root ]; storeRoots = disk.storeRoots ++ [ root.outPath ]; }; }
  `;
}

const mostOf = (usages: readonly Usage[], value: (usage: Usage) => number): number => Math.max(...usages.map(value));

/** As Markdown: the longest and largest of all rounds. */
export function commandsText(result: CommandsResult): string {
  const { loadBefore, usages, dataBytes } = result;
  const table = markdownTable(
    [
      { heading: 'command', cell: (step: Step) => `nix-images ${step}` },
      {
        heading: 'wall s',
        cell: (step) => mostOf(usages[step], ({ wallSeconds }) => wallSeconds).toFixed(1),
        right: true,
      },
      {
        heading: 'largest process',
        cell: (step) => sizeText(mostOf(usages[step], ({ largestProcess }) => largestProcess)),
        right: true,
      },
    ],
    STEPS,
  );
  const rounds = `the most of ${usages.pull.length}; ${sizeText(dataBytes)} of data; load at the start ${loadBefore.toFixed(2)}`;
  return [table, rounds, ...missedCommands(result)].join('\n\n');
}

/** What the project promises of them and these figures do not show. */
export const missedCommands = ({ usages }: Pick<CommandsResult, 'usages'>): string[] =>
  STEPS.map((step) => [step, mostOf(usages[step], ({ largestProcess }) => largestProcess)] as const)
    .filter(([, memory]) => memory > MOST_MEMORY)
    .map(([step, memory]) => `missed: ${step} of a disk takes ${sizeText(memory)} of memory`);
