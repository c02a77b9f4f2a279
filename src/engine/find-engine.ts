import { UserError } from '../core/error.ts';
import type { Exec } from '../core/exec.ts';
import { ALL_ENGINES, type Argv, type Engine, type EngineName } from './engine.ts';

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
  });
}

/** What went wrong, in the engines' own words, and what helps. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [
    /no space left on device/i,
    'Free space where the engine keeps its images: `podman system prune`, `docker system prune`, or another disk for its storage.',
  ],
  [
    /HTTP response to HTTPS client|insecure/i,
    'The engine wants TLS from a registry on the loopback address: list 127.0.0.0/8 among its insecure registries.',
  ],
  [
    /connection refused|no route to host|network is unreachable|i\/o timeout|context deadline exceeded/i,
    'The engine has a loopback address of its own, as docker has without root and in a virtual machine (Docker Desktop, podman machine). Name another one with --engine, ' +
      'or load a file: nix-images publish --to docker-archive:FILE.',
  ],
];

/** Has an engine do one thing. Throws UserError `file` with what it said. */
export async function callEngine({ env }: Engine, [program, ...args]: Argv, exec: Exec): Promise<string> {
  const { exitCode, stdout, stderr } = await exec(program, args, { env });
  if (exitCode === 0) return stdout;
  const said = stderr.trim() || `it ended with ${exitCode}`;
  const [, hint = `Run it by hand to see more: ${[program, ...args].join(' ')}`] =
    KNOWN.find(([pattern]) => pattern.test(said)) ?? [];
  throw new UserError('file', `${program} cannot load the image: ${said}`, { hint });
}
