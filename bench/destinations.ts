import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SCRATCH } from './begin.ts';
import { homeEnvironment, makeHome } from './environment.ts';
import { quiet } from './machine.ts';
import { beginWithVersions } from './made-versions.ts';
import { timed } from './measure/timed.ts';
import type { Options } from './options.ts';
import { type Registry, startRegistry } from './registry/registry.ts';
import { PROGRAM } from './release.ts';
import { median } from './statistics.ts';
import { publishWords } from './subjects/own.ts';
import { inTurns } from './turns.ts';

/** Destinations beside the first. */
const FURTHER = 3;

/** Most CPU that a publish to all may take, as a part of that to one, when the sending of the others is taken off. */
const HIGHEST = 1.3;

/** What is run in turns: a publish to one registry, one to four, and what only sends: the finished image to three. */
const KINDS = ['one', 'four', 'sending'] as const;

type Kind = (typeof KINDS)[number];

/** CPU seconds of the program alone, without the registries; medians. */
export interface DestinationsResult extends Readonly<Record<Kind, number>> {
  /** (four - sending) / one */
  readonly ratio: number;
  readonly runs: number;
  readonly loadBefore: number;
}

/** The figures of a run, from the medians. */
export const destinationsResult = (
  cpu: Readonly<Record<Kind, readonly number[]>>,
  loadBefore: number,
): DestinationsResult => {
  const [one, four, sending] = [median(cpu.one), median(cpu.four), median(cpu.sending)];
  return { one, four, sending, ratio: (four - sending) / one, runs: cpu.one.length, loadBefore };
};

/** Names of the bounds that were missed. */
export const missedDestinations = ({ ratio }: Pick<DestinationsResult, 'ratio'>): readonly string[] =>
  ratio <= HIGHEST ? [] : ['destinations'];

/** As a person reads it. */
export const destinationsText = ({ one, four, sending, ratio, runs, loadBefore }: DestinationsResult): string =>
  [
    `CPU seconds, median of ${runs}; load at the start ${loadBefore.toFixed(2)}`,
    `publish to one registry       ${one.toFixed(2)}`,
    `publish to ${FURTHER + 1} registries        ${four.toFixed(2)}`,
    `sending to ${FURTHER} registries (copy)  ${sending.toFixed(2)}`,
    `(four - sending) / one        ${ratio.toFixed(2)}, at most ${HIGHEST}: ${ratio <= HIGHEST ? 'reached' : 'missed'}`,
  ].join('\n');

/**
 * Publishes the closure to one registry and to four, and copies the finished image from a layout to three, each into empty
 * registries of its own. Throws what a command says that fails.
 */
export async function measureDestinations(
  options: Options,
  work: string,
  log: (line: string) => void,
): Promise<DestinationsResult> {
  const {
    env,
    versions: { base },
  } = await beginWithVersions(options, work, log);
  const scratch = await mkdtemp(join(work, SCRATCH));
  const { nixWords } = base.inputs;
  try {
    const layout = `oci:${join(scratch, 'layout')}:latest`;
    await timed({ program: process.execPath, args: publishWords(nixWords, 'gzip', layout), env }, scratch);
    const wordsOf = (kind: Kind, [first = '', ...others]: readonly string[]): readonly string[] => {
      const more = others.flatMap((place) => ['--to', place]);
      return kind === 'sending'
        ? [PROGRAM, 'copy', layout, '--to', first, ...more]
        : publishWords(nixWords, 'gzip', first, more);
    };
    const loadBefore = await quiet(log);
    const cpu: Record<Kind, number[]> = { one: [], four: [], sending: [] };
    for (const { thing: kind, round } of inTurns(KINDS, options.runs, () => false)) {
      const folder = await mkdtemp(join(scratch, 'run-'));
      const home = join(folder, 'home');
      await makeHome(home);
      const registries: Registry[] = [];
      try {
        const count = { one: 1, four: FURTHER + 1, sending: FURTHER }[kind];
        for (let at = 0; at < count; at += 1) registries.push(await startRegistry(join(folder, `registry-${at}`)));
        const places = registries.map(({ host }) => `docker://${host}/bench:latest`);
        const command = { program: process.execPath, args: wordsOf(kind, places) };
        const { cpuSeconds } = await timed({ ...command, env: { ...env, ...homeEnvironment(home) } }, folder);
        cpu[kind].push(cpuSeconds);
        log(`${kind}, ${round + 1}: ${cpuSeconds.toFixed(2)} s of CPU`);
      } finally {
        await Promise.all(registries.map((registry) => registry.stop().catch(() => undefined)));
        await rm(folder, { recursive: true, force: true });
      }
    }
    return destinationsResult(cpu, loadBefore);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
