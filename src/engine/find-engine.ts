import { UserError } from '../core/error.ts';
import type { Exec } from '../core/exec.ts';
import { ALL_ENGINES, type Engine, type EngineName } from './engine.ts';

/** Why an engine cannot be used; undefined where it can. */
async function whyNot({ probe: [program, ...args], env }: Engine, exec: Exec): Promise<string | undefined> {
  try {
    const { exitCode, stderr } = await exec(program, args, { env });
    return exitCode === 0 ? undefined : stderr.trim().split('\n').at(-1) || `${program} ended with ${exitCode}`;
  } catch (error) {
    if (error instanceof UserError && error.code === 'file') return error.message;
    throw error;
  }
}

/**
 * The engine that was asked for, or the first that can be used; `runs` leaves out those that only keep images. Throws UserError `input` that says
 * which were looked for, and how each is installed.
 */
export async function findEngine(asked: EngineName | 'auto', runs: boolean, exec: Exec): Promise<Engine> {
  const candidates = ALL_ENGINES.filter(({ name, run }) =>
    asked === 'auto' ? run !== undefined || !runs : name === asked,
  );
  const refusals: string[] = [];
  for (const engine of candidates) {
    const why = await whyNot(engine, exec);
    if (why === undefined) return engine;
    refusals.push(`${engine.name}: ${why}`);
  }
  const ways = candidates.map(({ name, install }) => `${name} (${install})`).join(', or ');
  const what = asked === 'auto' ? 'no container engine can be used' : `${asked} cannot be used`;
  throw new UserError('input', `${what}; looked for ${refusals.join('; ')}`, {
    hint: `Install or start ${ways}.`,
    docs: 'serve.md#load-and-run',
  });
}
