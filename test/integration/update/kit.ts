import { readFile, writeFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { branchRoutes } from '../../emulators/github/branches.ts';
import { startGitHub } from '../../emulators/github/emulator.ts';
import { addressOf, GitRepository } from '../../emulators/github/git-repository.ts';
import { type GraphqlModes, graphqlRoute } from '../../emulators/github/graphql.ts';
import { OpenedPulls, openedPullRoutes } from '../../emulators/github/opened-pulls.ts';
import type { Permissions } from '../../emulators/github/permissions.ts';
import { runCli } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { type ProgramResult, runProgram, uniqueTempDir } from '../../support/tools.ts';
import { copyFlake } from '../plan/kit.ts';

const identity = (login: string) => ({
  ...{ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' },
  ...{ GIT_AUTHOR_NAME: login, GIT_AUTHOR_EMAIL: addressOf(login) },
  ...{ GIT_COMMITTER_NAME: login, GIT_COMMITTER_EMAIL: addressOf(login) },
});

/** Runs git as a person; what it printed. */
export async function git(
  cwd: string,
  args: readonly string[],
  login = 'human',
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('git', args, { cwd, env: { ...identity(login), ...env } });
  if (exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

async function commitAll(folder: string, message: string, date = '2026-01-01T00:00:00Z'): Promise<void> {
  await git(folder, ['add', '--all']);
  await git(folder, ['commit', '--quiet', '--allow-empty', '--message', message], 'human', {
    GIT_COMMITTER_DATE: date,
  });
}

const NIX = {
  NIX_CONFIG: TEST_NIX_CONFIG.replace('experimental-features =', 'experimental-features = nix-command flakes'),
};

type Versions = Readonly<Record<'app' | 'libcrypto' | 'data', string>>;

const FIRST: Versions = { app: '1.9', libcrypto: '3.0.15', data: '1' };

/** A clone of a repository whose flake has the versions of its packages from an input, and that input's repository. */
export interface Project {
  /** The clone, on main. */
  readonly folder: string;
  /** The bare repository that it is a clone of. */
  readonly origin: GitRepository;
  /** A new commit of the input; it may be one that no image uses. */
  release(versions?: Partial<Versions>): Promise<void>;
  /** Takes the last release back. */
  rewind(): Promise<void>;
  lock(): Promise<string>;
  write(name: string, text: string): Promise<void>;
  /** Commits what was written and pushes it. */
  push(message: string, branch?: string): Promise<void>;
}

export async function makeProject(): Promise<Project> {
  const [flake, root] = await Promise.all([copyFlake('versions'), uniqueTempDir('update')]);
  onTestFinished(async () => {
    await flake.remove();
    await root.remove();
  });
  const folder = flake.path;
  const [pins, bare] = [`${root.path}/pins`, `${root.path}/origin.git`];
  await git(root.path, ['init', '--quiet', '--initial-branch=main', pins]);
  let versions = FIRST;
  let day = 0;
  const release: Project['release'] = async (change = {}) => {
    versions = { ...versions, ...change };
    const text = Object.entries(versions).map(([name, version]) => `${name} = "${version}";`);
    await writeFile(`${pins}/versions.nix`, `{ ${text.join(' ')} }\n`);
    day += 1;
    await commitAll(pins, 'Release', `2026-01-${10 + day}T00:00:00Z`);
  };
  await release();
  const source = (await readFile(`${folder}/flake.nix`, 'utf8'))
    .replace('{ self }:', '{ self, pins }:')
    .replace('import ./versions.nix', `import "${'$'}{pins}/versions.nix"`)
    .replace(/^\{\n/m, `{\n  inputs.pins = { url = "git+file://${pins}"; flake = false; };\n`);
  await flake.write('flake.nix', source);
  await git(folder, ['init', '--quiet', '--initial-branch=main']);
  await git(folder, ['add', '--all']);
  await runProgram('nix', ['flake', 'lock', folder], { env: NIX });
  await commitAll(folder, 'Begin');
  await git(root.path, ['clone', '--quiet', '--bare', folder, bare]);
  await git(folder, ['remote', 'add', 'origin', bare]);
  return {
    ...{ folder, release, write: flake.write, origin: new GitRepository(bare) },
    rewind: async () => void (await git(pins, ['reset', '--quiet', '--hard', 'HEAD~1'])),
    lock: () => readFile(`${folder}/flake.lock`, 'utf8'),
    push: async (message, branch = 'main') => {
      await commitAll(folder, message);
      await git(folder, ['push', '--quiet', '--force', 'origin', `HEAD:${branch}`]);
    },
  };
}

/** GitHub with the project's repository on it. */
export async function onGitHub(
  { origin }: Pick<Project, 'origin'>,
  { mayOpen = true, ...modes }: GraphqlModes & { readonly mayOpen?: boolean } = {},
) {
  const pulls = new OpenedPulls(origin);
  const permissions: Permissions = modes.permissions ?? { contents: 'write', 'pull-requests': 'write' };
  const routes = [
    ...branchRoutes(origin, modes),
    ...openedPullRoutes(pulls, origin, { mayOpen }),
    graphqlRoute({ git: origin, pulls, modes: { ...modes, permissions } }),
  ];
  const github = await startGitHub({ routes, permissions });
  onTestFinished(() => github.stop());
  return { github, pulls };
}

export type OnGitHub = Awaited<ReturnType<typeof onGitHub>>;

/** `update` in the project's clone. */
export const runUpdate = (
  { folder }: Pick<Project, 'folder'>,
  args: readonly string[],
  { github }: Partial<Pick<OnGitHub, 'github'>> = {},
): Promise<ProgramResult> =>
  runCli(['update', ...args], {
    cwd: folder,
    env: {
      ...identity('human'),
      ...(github === undefined
        ? {}
        : { GITHUB_API_URL: github.url, GITHUB_REPOSITORY: 'org/app', NIX_IMAGES_GITHUB_TOKEN: github.token }),
    },
  });
