import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';
import { type Plan, parsePlan } from '../plan/plan.ts';
import { parsePlanArtifact, planFromArtifact } from './plan-output.ts';

/**
 * What a workflow that gives no plan has in its place (the default in action.yml). GitHub gives an empty text both for an input
 * that was left out and for an output that is lost, and only the first may mean that there is no plan.
 */
export const NO_PLAN = 'none';

/**
 * The input `plan`; undefined where there is none. `isOther` says that something else names what to publish. Throws UserError
 * `input` for the empty text of a plan that was lost: without it, whatever handovers there are would count as all.
 */
export function givenPlan(
  text: string | undefined,
  { kind }: Pick<Host, 'kind'>,
  isOther: boolean,
): string | undefined {
  if (kind === 'terminal') return text;
  if (text !== undefined) return text === NO_PLAN ? undefined : text;
  if (isOther) return undefined;
  throw new UserError('input', 'the plan is empty: it was lost between the jobs', {
    hint:
      'Either that job failed (let this one run only after it succeeded, and re-run it), or GitHub dropped its output ' +
      '`plan` because it contains a secret, such as a user name that is part of `to`: make that a variable, not a ' +
      'secret. To publish without a plan, leave the input out.',
    docs: 'workflow-run.md#what-can-get-lost-between-jobs',
  });
}

/**
 * Reads the input `plan`: JSON, `@FILE` that holds it, or a reference to an artifact of the run. Throws UserError `input`, and
 * `handover` for an artifact that is gone or another one.
 */
export async function readPlan(text: string, host: Host): Promise<Plan> {
  const artifact = parsePlanArtifact(text);
  if (artifact) return planFromArtifact(artifact, host, (path) => readFile(path, 'utf8'));
  if (!text.startsWith('@')) return parsePlan(text);
  const file = text.slice(1);
  const content = await readFile(resolve(host.cwd, file), 'utf8').catch((cause: unknown) => {
    throw new UserError('input', `the plan ${file} cannot be read`, {
      hint: 'Name a file that holds what `nix-images plan --json` printed.',
      cause,
    });
  });
  return parsePlan(content);
}
