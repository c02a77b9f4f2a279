import { expect } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { startRegistry } from '../../support/registry.ts';
import { releaseTree } from '../../support/release.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { CONSUMER, runWorkflow, type WorkflowOptions, type WorkflowRun } from './act.ts';
import { createLibrary } from './library.ts';
import { writeFiles } from './repository.ts';

const WORKFLOW = '.github/workflows/images.yml';
const RUN = 77;

/** What `podman run` prints of the consumer's images on each platform. */
const MACHINES = [
  ['linux/amd64', 'x86_64'],
  ['linux/arm64', 'aarch64'],
] as const;

export interface Run extends Partial<Omit<WorkflowOptions, 'library' | 'workflow'>> {
  readonly attempt?: number;
  /** Whether the job has logged in to the registry. */
  readonly loggedIn?: boolean;
  /** Further variables of every job. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Another results service than the test's own. */
  readonly results?: ResultsEmulator;
}

/** A release, a registry and a podman: what workflows of a user's repository run against. */
export interface Stage {
  /** The registry's host and port. */
  readonly host: string;
  /** Folder of the release tree. */
  readonly release: string;
  readonly podman: Podman;
  /** The results service of the test that runs. */
  readonly results: () => ResultsEmulator;
  /** Gives the next test a results service of its own; what it returns stops that. */
  renew(): Promise<() => Promise<void>>;
  run(workflow: string, change: Run): Promise<WorkflowRun>;
  artifacts(): { readonly name: string; readonly bytes: Buffer }[];
  /** Status and digest of what the registry has under a tag. */
  indexOf(repository: string, tag: string): Promise<{ readonly status: number; readonly digest: string | null }>;
  /** Expects that an image of the consumer's runs on both platforms. */
  expectRuns(reference: string): Promise<void>;
  remove(): Promise<void>;
}

/** Makes a stage on which `workflows` can run: what they use of others is there. */
export async function openStage(workflows: readonly string[]): Promise<Stage> {
  const [temp, release, registry] = await Promise.all([uniqueTempDir('e2e'), releaseTree(), startRegistry()]);
  const podman = await preparePodman();
  const library = await createLibrary(release.path, workflows);
  const { host } = registry;
  const auths = { [host]: { auth: Buffer.from('somebody:secret').toString('base64') } };
  await writeFiles(temp.path, { 'config.json': JSON.stringify({ auths }) });
  let current: ResultsEmulator | undefined;
  const results = (): ResultsEmulator => {
    if (current === undefined) throw new Error('the stage has no results service: call renew() before each test');
    return current;
  };
  return {
    host,
    release: release.path,
    podman,
    results,
    renew: async () => {
      const started = await startResults({ repository: CONSUMER });
      current = started;
      return () => started.stop();
    },
    run: async (workflow, given) => {
      const { attempt = 1, loggedIn = false, files = {}, results: service = results(), variables, ...change } = given;
      const env = {
        ...service.environment({ run: RUN, job: 'all', attempt }),
        NIX_CONFIG: TEST_NIX_CONFIG,
        DOCKER_CONFIG: loggedIn ? temp.path : '/nonexistent',
        ...variables,
      };
      const all = { ...files, [WORKFLOW]: withoutCache(workflow) };
      return await runWorkflow({ library, files: all, workflow: WORKFLOW, env, ...change });
    },
    artifacts: () =>
      results()
        .artifacts()
        .map(({ name, bytes = Buffer.alloc(0) }) => ({ name, bytes })),
    indexOf: async (repository, tag) => {
      const headers = { accept: 'application/vnd.oci.image.index.v1+json' };
      const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers });
      return { status: answer.status, digest: answer.headers.get('docker-content-digest') };
    },
    expectRuns: async (reference) => {
      for (const [platform, machine] of MACHINES) {
        const options = ['--rm', '--pull=always', '--quiet', '--tls-verify=false', '--platform', platform];
        const { stdout, stderr } = await podman.run(['run', ...options, reference]);
        expect(stdout.trim(), stderr).toBe(machine);
      }
    },
    remove: async () => {
      await podman.remove();
      await registry.stop();
      await library.remove();
      await release.remove();
      await temp.remove();
    },
  };
}

/** A workflow whose calls and jobs use no cache: of that, cache.test.ts is the test, and it takes time. */
export const withoutCache = (workflow: string): string =>
  workflow
    .replace(
      /(uses: org\/nix-images\/\.github\/workflows\/(?!amis)[\w-]+\.yml@v1\n(?: +#.*\n)* {4}with:\n)/g,
      '$1      cache: false\n',
    )
    .replace(/ {6}- uses: org\/nix-images\/cache@v1.*\n {8}with: .*\n/, '')
    .replace(/ {2}cache:\n {4}name: Cache\n(?: {4}.*\n)+\n/, '');

/** `ID RESULT` of each job that ran, sorted. */
export const outcomes = ({ jobs }: Pick<WorkflowRun, 'jobs'>): string[] =>
  jobs
    .filter(({ result }) => result !== undefined)
    .map(({ id, result }) => `${id} ${result}`)
    .sort();

/** What people see of a run: act's own log has the masks in it. */
export const printed = ({ jobs }: WorkflowRun): string => jobs.map(({ output, summary }) => output + summary).join('');
