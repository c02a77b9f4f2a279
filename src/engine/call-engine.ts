import { UserError } from '../core/error.ts';
import type { Exec, ExecOptions } from '../core/exec.ts';
import type { Argv, Engine } from './engine.ts';

/** What went wrong, in the engines' own words, and what helps; the first that fits counts. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [
    /rejected by policy/i,
    'This machine takes only signed images: allow the transport docker-archive in its policy.json (man containers-policy.json), or name another engine with --engine.',
  ],
  [
    // podman's `load` says the last of a disk that is full (containers/podman#26197).
    /no space left on device|disk quota exceeded|disk is full|payload does not match any of the supported image formats/i,
    'Free space where the engine keeps its images: `podman system prune`, `docker system prune`, or another disk for its storage. podman also ' +
      'needs room in /var/tmp, or in the folder that TMPDIR names.',
  ],
  [
    /permission denied/i,
    'Run it as a user that may use the engine (docker: of the group docker; containerd: root), or name another engine with --engine.',
  ],
];

/** What helps with what an engine said; undefined where that is not known. */
export const knownHelp = (said: string): string | undefined => KNOWN.find(([pattern]) => pattern.test(said))?.[1];

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

/** Throws UserError `file` with what the engine said, unless it did what it was asked for. */
export function checkDone({ isDone, said }: EngineAnswer, words: Argv): void {
  if (isDone) return;
  const hint = knownHelp(said) ?? BY_ITSELF;
  throw new UserError('file', `${words[0]} cannot load the image: ${said}`, { hint, docs: 'serve.md#load-and-run' });
}
