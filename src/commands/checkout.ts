import { UserError } from '../core/error.ts';
import type { Host } from '../host/host.ts';

/** A working folder of git. */
export interface Checkout {
  /** The commit that is checked out. */
  readonly head: string;
  /** Undefined where a commit is checked out and no branch. */
  readonly branch: string | undefined;
  /** `OWNER/NAME` on GitHub, by the remote `origin`. */
  readonly repository: string | undefined;
  /** Way from the top of the repository to the folder; empty at the top. */
  readonly prefix: string;
  /** Git's ids of the files' content at `head`, by name; undefined of one that is not in it. */
  readonly fileIds: ReadonlyMap<string, string | undefined>;
  /** The id that git would give to a content. */
  readonly idOf: (text: string) => Promise<string>;
}

const ON_GITHUB = /github\.com[:/]([\w.-]+\/[\w.-]+?)(?:\.git)?\/?$/;

/** Reads what git knows of a folder. Throws UserError `input` where it is not of a repository, or one of the files has changes. */
export async function openCheckout(
  folder: string,
  files: readonly string[],
  { exec, signal }: Host,
): Promise<Checkout> {
  const tryGit = async (args: readonly string[], input?: string): Promise<string | undefined> => {
    const options = { cwd: folder, signal, ...(input === undefined ? {} : { input }) };
    const { exitCode, stdout } = await exec('git', args, options);
    return exitCode === 0 ? stdout.trim() : undefined;
  };
  const git = async (args: readonly string[], input?: string): Promise<string> => {
    const said = await tryGit(args, input);
    if (said !== undefined) return said;
    throw new UserError('input', `git ${args.join(' ')} failed in ${folder}`, {
      hint: 'A pull request needs a checkout: clone the repository, or in a workflow use actions/checkout before.',
    });
  };
  const head = await git(['rev-parse', '--verify', 'HEAD^{commit}']);
  const changed = await git(['status', '--porcelain', '--', ...files]);
  if (changed !== '') {
    throw new UserError('input', `${files.join(' or ')} has changes that are not committed`, {
      hint: 'Commit them or take them back: git status.',
    });
  }
  const fileIds = new Map<string, string | undefined>();
  for (const name of files) fileIds.set(name, await tryGit(['rev-parse', '--verify', '--quiet', `HEAD:./${name}`]));
  return {
    head,
    branch: await tryGit(['symbolic-ref', '--quiet', '--short', 'HEAD']),
    repository: ON_GITHUB.exec((await tryGit(['remote', 'get-url', 'origin'])) ?? '')?.[1],
    prefix: await git(['rev-parse', '--show-prefix']),
    fileIds,
    idOf: (text) => git(['hash-object', '--stdin', '--no-filters'], text),
  };
}
