import { median } from '../statistics.ts';

/** An empty engine, one that has the image, and one that has it as it was before a leaf of it changed. */
export const STEPS = ['cold', 'unchanged', 'leaf'] as const;

export type LoadStep = (typeof STEPS)[number];

export type EngineName = 'podman' | 'docker';

/** One load. */
export interface LoadRun {
  readonly engine: EngineName;
  /** By `nix-images load`, which evaluates and builds too, or as an archive that was built before. */
  readonly way: 'own' | 'archive';
  readonly step: LoadStep;
  readonly round: number;
  /** Seconds that writing the archive took. */
  readonly madeSeconds: number;
  readonly loadSeconds: number;
  /** Largest process, in bytes; ours or the engine's client. */
  readonly memory: number;
}

export interface LoadResult {
  /** Seconds of the evaluation alone. */
  readonly evaluation: number;
  readonly runs: readonly LoadRun[];
  readonly loadBefore: number;
}

/** Seconds beside the evaluation at most, and bytes of memory. */
const MOST = { unchanged: 0.7, leaf: 1.5, memory: 200e6 } as const;

function seconds({ runs }: LoadResult, engine: EngineName, way: LoadRun['way'], step: LoadStep): number {
  const found = runs.filter((run) => run.engine === engine && run.way === way && run.step === step);
  return median(found.map(({ madeSeconds, loadSeconds }) => madeSeconds + loadSeconds));
}

const enginesOf = ({ runs }: LoadResult): readonly EngineName[] => [...new Set(runs.map(({ engine }) => engine))];

const memoryOf = ({ runs }: LoadResult): number =>
  Math.max(...runs.filter(({ way }) => way === 'own').map(({ memory }) => memory));

/** What is missed of what was promised, by engine. */
export function missedLoad(result: LoadResult): string[] {
  const { evaluation } = result;
  const missed = enginesOf(result).flatMap((engine) =>
    (['unchanged', 'leaf'] as const)
      .filter((step) => seconds(result, engine, 'own', step) > evaluation + MOST[step])
      .map((step) => `${engine}, ${step}`),
  );
  return [...missed, ...(memoryOf(result) > MOST.memory ? ['memory'] : [])];
}

/** As a person reads it. */
export function loadText(result: LoadResult): string {
  const { evaluation, loadBefore } = result;
  const missed = missedLoad(result);
  const rows = enginesOf(result).flatMap((engine) =>
    (['own', 'archive'] as const).map((way) => {
      const cells = STEPS.map((step) => seconds(result, engine, way, step).toFixed(2).padStart(9));
      return `${(way === 'own' ? `load into ${engine}` : `archive, ${engine} load`).padEnd(22)} ${cells.join(' ')}`;
    }),
  );
  const made = median(result.runs.filter(({ madeSeconds }) => madeSeconds > 0).map(({ madeSeconds }) => madeSeconds));
  return [
    `seconds, medians; load at the start ${loadBefore.toFixed(2)}; evaluation alone ${evaluation.toFixed(2)}`,
    `${''.padEnd(22)} ${STEPS.map((step) => step.padStart(9)).join(' ')}`,
    ...rows,
    `an archive is written (${made.toFixed(2)} of its seconds) and loaded; evaluating and building come on top`,
    `memory of load, at most ${(memoryOf(result) / 1e6).toFixed(0)} MB (limit ${MOST.memory / 1e6})`,
    `limits: unchanged ${(evaluation + MOST.unchanged).toFixed(2)}, a leaf ${(evaluation + MOST.leaf).toFixed(2)}`,
    missed.length === 0 ? 'all reached' : `missed: ${missed.join('; ')}`,
  ].join('\n');
}
