import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { isSystem, SYSTEMS, type System } from '../oci/system.ts';

const labelSchema = z.string().trim().min(1);
const labelsSchema = z.array(labelSchema).min(1);

/** What `runs-on` takes: a label, labels that a runner must all have, or a group (docs.github.com, "jobs.<job_id>.runs-on"). */
const runsOnSchema = z.union([
  labelsSchema,
  z.strictObject({ group: labelSchema, labels: z.union([labelSchema, labelsSchema]).optional() }),
]);

export type RunsOn = string | z.infer<typeof runsOnSchema>;

/** Stands for a runner of the other system, on which programs of this one run by emulation. */
const EMULATE = 'emulate';

/** The runner of a system as an input names it; null where there is none, so that it is emulated. */
export type RunnerLine = readonly [System, RunsOn | null];

/** GitHub's own runners, free for public repositories. */
const RUNNERS: Readonly<Record<System, RunsOn>> = {
  'x86_64-linux': 'ubuntu-latest',
  'aarch64-linux': 'ubuntu-24.04-arm',
};

/** Where jobs of a system run. */
interface Runner {
  readonly runsOn: RunsOn;
  /** Whether the system is emulated there. */
  readonly emulated: boolean;
}

const LIST_HINT =
  'Several labels are a JSON list, as in aarch64-linux=["self-hosted","linux","arm64"]; a group is ' +
  'aarch64-linux={"group":"big","labels":["arm64"]}.';

/** Reads `SYSTEM=LABEL`, `SYSTEM=[LABELS]`, `SYSTEM={"group":…}` or `SYSTEM=emulate`. Throws UserError `input`. */
export function parseRunner(text: string): RunnerLine {
  const [, system = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const label = value.trim();
  if (!isSystem(system) || label === '') {
    throw new UserError('input', `${JSON.stringify(text)} does not name the runner of a system`, {
      hint: `Write SYSTEM=LABEL, for instance ${SYSTEMS[1]}=${RUNNERS[SYSTEMS[1]]}; systems are ${SYSTEMS.join(' and ')}.`,
    });
  }
  if (label === EMULATE) return [system, null];
  if (/^[[{]/.test(label)) return [system, parseRunsOn(system, label)];
  // One label with a comma in it would wait for a runner for ever.
  if (!/[,\s"']/.test(label)) return [system, label];
  throw new UserError('input', `the runner of ${system} is ${JSON.stringify(label)}, which is not one label`, {
    hint: LIST_HINT,
  });
}

function parseRunsOn(system: System, text: string): RunsOn {
  const labels = tryDecodeJson(text, runsOnSchema);
  if (labels !== undefined) return labels;
  throw new UserError('input', `the runner of ${system} is neither labels nor a group, as JSON: ${text}`, {
    hint: LIST_HINT,
  });
}

/** The runner of each system; of several lines for one the last counts. Throws UserError `input` where all are emulated. */
export function runnersOf(given: readonly RunnerLine[]): Readonly<Record<System, Runner>> {
  const runsOn: Record<System, RunsOn | null> = { ...RUNNERS, ...Object.fromEntries(given) };
  const real = SYSTEMS.map((system) => runsOn[system]).find((runner) => runner !== null);
  if (real === undefined || real === null) {
    throw new UserError('input', 'runners: every system is to be emulated, and none has a runner', {
      hint: `Name a runner for one of them, such as ${SYSTEMS[0]}=${RUNNERS[SYSTEMS[0]]}.`,
    });
  }
  const runnerOf = (system: System): Runner => ({ runsOn: runsOn[system] ?? real, emulated: runsOn[system] === null });
  return { 'x86_64-linux': runnerOf('x86_64-linux'), 'aarch64-linux': runnerOf('aarch64-linux') };
}
