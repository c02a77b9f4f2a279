import { UserError } from '../core/error.ts';
import type { Exec } from '../core/exec.ts';
import { knownHelp } from './call-engine.ts';
import { ALL_ENGINES, type Engine, type EngineName } from './engine.ts';

/** Why an engine cannot be used. */
interface Refusal {
  readonly name: EngineName;
  readonly why: string;
  /** Whether its program is here. */
  readonly isInstalled: boolean;
  /** How it is installed or started. */
  readonly way: string;
}

/** Why an engine cannot be used; undefined where it can. */
async function refusalOf({ name, probe, env, install, start }: Engine, exec: Exec): Promise<Refusal | undefined> {
  const [program, ...args] = probe;
  try {
    const { exitCode, stderr } = await exec(program, args, { env });
    if (exitCode === 0) return undefined;
    const why = stderr.trim().split('\n').at(-1) || `${program} ended with ${exitCode}`;
    return { name, why, isInstalled: true, way: `${name} (${start})` };
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'file') throw error;
    return { name, why: error.message, isInstalled: false, way: `${name} (${install})` };
  }
}

/**
 * The engine that was asked for, or the first that can be used; `runs` leaves out those that only keep images. Throws UserError `input` that says
 * which were looked for, and how each is installed, or started where it is there.
 */
export async function findEngine(asked: EngineName | 'auto', runs: boolean, exec: Exec): Promise<Engine> {
  const candidates = ALL_ENGINES.filter(({ name, run }) =>
    asked === 'auto' ? run !== undefined || !runs : name === asked,
  );
  const refusals: Refusal[] = [];
  for (const engine of candidates) {
    const refusal = await refusalOf(engine, exec);
    if (refusal === undefined) return engine;
    refusals.push(refusal);
  }
  const what = asked === 'auto' ? 'no container engine can be used' : `${asked} cannot be used`;
  const reasons = refusals.map(({ name, why }) => `${name}: ${why}`).join('; ');
  throw new UserError('input', `${what}; looked for ${reasons}`, {
    hint: hintFor(refusals),
    docs: 'serve.md#load-and-run',
  });
}

/** What is installed needs less than another engine. */
function hintFor(refusals: readonly Refusal[]): string {
  const installed = refusals.filter(({ isInstalled }) => isInstalled);
  const [help] = installed.flatMap(({ why }) => knownHelp(why) ?? []);
  const ways = (some: readonly Refusal[]): string => some.map(({ way }) => way).join(', or ');
  return help ?? (installed.length > 0 ? `Start ${ways(installed)}.` : `Install ${ways(refusals)}.`);
}
