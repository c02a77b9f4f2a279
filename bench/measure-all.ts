import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { layerRecord } from '../src/definition/layer-record.ts';
import { SCRATCH } from './begin.ts';
import { CASES } from './cases.ts';
import { evaluationCommand } from './fixture/evaluation.ts';
import { archiveCommand, type MadeInputs, tarCommand } from './inputs/inputs.ts';
import { quiet, thisMachine } from './machine.ts';
import { beginWithVersions, type Version } from './made-versions.ts';
import { repeated } from './measure/repeated.ts';
import { timed } from './measure/timed.ts';
import { measureBounds } from './measure-bounds.ts';
import { measureFloors } from './measure-floors.ts';
import type { Measurement } from './measurement.ts';
import type { Options } from './options.ts';
import type { Result } from './result.ts';
import { createRunner } from './runner.ts';
import { measureLayersPass } from './steps/measure-steps.ts';
import { allSubjects } from './subjects/all.ts';
import type { Subject } from './subjects/subject.ts';
import { inTurns } from './turns.ts';
import { versionsOf } from './versions.ts';

const run = promisify(execFile);

type Log = (line: string) => void;

/**
 * Makes what is missing in `work`, and then measures. `save` gets the result after each case, so that a run that is broken off
 * leaves what it found.
 */
export async function measureAll(
  options: Options,
  work: string,
  log: Log,
  save: (result: Result) => Promise<unknown>,
): Promise<Result> {
  const { env, versions } = await beginWithVersions(options, work, log);
  const subjects = (await allSubjects(work, log)).filter(({ name }) => isChosen(name, options.subjects));
  const { base } = versions;
  await makeArchives(subjects, base.inputs, log);
  const scratch = await mkdtemp(join(work, SCRATCH));
  try {
    const loadBefore = await quiet(log);
    log(`load: ${loadBefore}`);
    const place = { inputs: base.inputs, closure: base.closure, scratch };
    const start = { base, subjects, loadBefore, options };
    let result: Result = {
      ...(await circumstances(start)),
      evaluation: await repeated(evaluationCommand(base.inputs.nixWords, env), options.runs, scratch),
      layersPass: await measureLayersPass(place, options.runs),
      floors: options.bounds ? await measureFloors(place, env, log) : {},
      bounds: options.bounds ? await measureBounds(base.inputs.list, options.runs, scratch, log) : [],
      measurements: [],
      failures: [],
    };
    const runner = createRunner(scratch, env);
    for (const situation of CASES.filter(({ name }) => options.cases.includes(name))) {
      const inputs = versions[situation.state].inputs;
      const here = subjects.filter((subject) => subject.cases.includes(situation.name));
      for (const { thing: subject, round } of inTurns(here, options.runs, ({ once }) => once)) {
        const outcome = await runner.run(subject, situation, round, inputs, base.inputs).catch(asMessage);
        result = withOutcome(result, { case: situation.name, subject: subject.name }, outcome);
        const took = typeof outcome === 'string' ? outcome : `${outcome.wallSeconds.toFixed(2)} s`;
        log(`${situation.name}, ${subject.name}, ${round + 1}: ${took}`);
      }
      await save(result);
    }
    return result;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const asMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const withOutcome = (
  result: Result,
  where: { case: string; subject: string },
  outcome: Measurement | string,
): Result =>
  typeof outcome === 'string'
    ? { ...result, failures: [...result.failures, { ...where, message: outcome }] }
    : { ...result, measurements: [...result.measurements, outcome] };

const isChosen = (name: string, words: readonly string[]): boolean =>
  words.length === 0 || words.some((word) => (word.startsWith('=') ? name === word.slice(1) : name.includes(word)));

/** The forms that only some peers need, of the one version that those are run with. */
async function makeArchives(subjects: readonly Subject[], inputs: MadeInputs, log: Log): Promise<void> {
  const forms = { archive: archiveCommand(inputs), tar: tarCommand(inputs.list, inputs.tar) };
  for (const [form, command] of Object.entries(forms) as ['archive' | 'tar', (typeof forms)['tar']][]) {
    if (!subjects.some(({ input }) => input === form) || (await exists(inputs[form]))) continue;
    log(`making ${inputs[form]}`);
    await timed(command, join(inputs[form], '..')).catch(async (error: unknown) => {
      await rm(inputs[form], { force: true });
      throw error;
    });
  }
}

const exists = async (file: string): Promise<boolean> => (await stat(file).catch(() => undefined)) !== undefined;

async function circumstances({
  base,
  subjects,
  loadBefore,
  options,
}: {
  base: Version;
  subjects: readonly Subject[];
  loadBefore: number;
  options: Options;
}): Promise<Omit<Result, 'evaluation' | 'layersPass' | 'floors' | 'bounds' | 'measurements' | 'failures'>> {
  const { layers } = base.inputs.layout.manifest;
  const root = join(import.meta.dirname, '..');
  return {
    schemaVersion: 1,
    date: new Date().toISOString(),
    machine: await thisMachine(),
    versions: await versionsOf(subjects),
    commit: (await run('git', ['describe', '--always', '--dirty'], { cwd: root })).stdout.trim(),
    loadBefore,
    fixture: {
      name: options.fixture,
      paths: base.closure.length,
      layers: layers.length,
      unpackedBytes: layers.reduce((sum, layer) => sum + (layerRecord(layer)?.unpackedSize ?? 0), 0),
    },
    runs: options.runs,
  };
}
