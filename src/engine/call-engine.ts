import { UserError } from '../core/error.ts';
import type { Exec, ExecOptions } from '../core/exec.ts';
import type { Argv, Engine } from './engine.ts';

/** What engines say that cannot pull from this process, or not without TLS. */
const CANNOT_REACH =
  /connection refused|no route to host|network is unreachable|i\/o timeout|context deadline exceeded|HTTP response to HTTPS client|insecure registr/i;

/** What went wrong, in the engines' own words, and what helps. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [
    /no space left on device|disk quota exceeded|disk is full/i,
    'Free space where the engine keeps its images: `podman system prune`, `docker system prune`, or another disk for its storage. podman also ' +
      'needs room in /var/tmp, or in the folder that TMPDIR names.',
  ],
  [
    /permission denied/i,
    'Run it as a user that may use the engine (docker: of the group docker; containerd: root), or name another engine with --engine.',
  ],
];

/** For what is not known. The pull cannot be repeated by hand, since the registry in this process has ended by then. */
const BY_ITSELF =
  'Check that the engine itself works (podman info, docker info, ctr version). To pull by hand, use nix-images serve, which keeps running.';

/** What an engine answered. */
interface EngineAnswer {
  readonly isDone: boolean;
  readonly stdout: string;
  /** Why not, in its words. */
  readonly said: string;
}

/** Asks an engine for one thing. Throws UserError as `exec`. */
export async function askEngine(
  { env }: Engine,
  [program, ...args]: Argv,
  exec: Exec,
  options: Pick<ExecOptions, 'input' | 'signal'> = {},
): Promise<EngineAnswer> {
  const { exitCode, stdout, stderr } = await exec(program, args, { ...options, env });
  return { isDone: exitCode === 0, stdout, said: stderr.trim() || `it ended with ${exitCode}` };
}

/** Whether an engine has a network of its own, as without root and in a virtual machine, or wants TLS on the loopback address. */
export const cannotReach = ({ isDone, said }: EngineAnswer): boolean => !isDone && CANNOT_REACH.test(said);

/** Throws UserError `file` with what the engine said, unless it did what it was asked for. */
export function checkDone({ isDone, said }: EngineAnswer, words: Argv): void {
  if (isDone) return;
  const [, hint = BY_ITSELF] = KNOWN.find(([pattern]) => pattern.test(said)) ?? [];
  throw new UserError('file', `${words[0]} cannot load the image: ${said}`, { hint, docs: 'serve.md#load-and-run' });
}
