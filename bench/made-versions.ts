import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beginWithRelease } from './begin.ts';
import { FIXTURES, STATES, type StateName } from './fixture/fixture.ts';
import { imageArguments } from './fixture/image-file.ts';
import { fetchPackages } from './fixture/packages.ts';
import { type Realised, realise } from './fixture/realise.ts';
import { systemOfMachine } from './fixture/system-of-machine.ts';
import { type MadeInputs, makeInputs } from './inputs/inputs.ts';
import type { Options } from './options.ts';

export interface Version extends Realised {
  readonly inputs: MadeInputs;
}

/** What benchmarks of the closure begin with: a release, the environment for Nix, and every version. */
export async function beginWithVersions(
  options: Options,
  work: string,
  log: (line: string) => void,
): Promise<{
  readonly env: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<StateName, Version>>;
}> {
  const env = await beginWithRelease(work, log);
  return { env, versions: await makeVersions(options, work, env, log) };
}

/** Every version of the closure, with what is made of it; what an earlier run made is taken as it is. */
async function makeVersions(
  { fixture }: Options,
  work: string,
  env: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<Record<StateName, Version>> {
  const packages = await fetchPackages(FIXTURES[fixture], systemOfMachine(), work, log);
  const pool = join(work, fixture, 'pool');
  const made: Partial<Record<StateName, Version>> = {};
  for (const state of STATES) {
    const folder = join(work, fixture, state);
    await mkdir(folder, { recursive: true });
    const nixWords = imageArguments(fixture, packages, state);
    log(`${fixture}, ${state}: realising, and making the layers that peers start from`);
    const realised = await realise(nixWords, folder, { ...process.env, ...env });
    made[state] = { ...realised, inputs: await makeInputs({ folder, pool, nixWords, realised, env }) };
  }
  return made as Record<StateName, Version>;
}
