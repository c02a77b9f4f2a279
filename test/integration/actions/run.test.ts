import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { runStep, type StepResult } from '../../support/action.ts';
import { IMAGES } from '../../support/cli.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { cranePath, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let results: ResultsEmulator;
let registry: RunningRegistry;
let temp: TempDir;
let image: Record<string, string>;

const SYSTEMS = ['x86_64-linux', 'aarch64-linux'] as const;
const OCI = { accept: 'application/vnd.oci.image.manifest.v1+json' };
const FORK = { pull_request: { head: { repo: { full_name: 'stranger/app' } } } };

beforeAll(async () => {
  registry = await startRegistry();
  temp = await uniqueTempDir('actions');
  const nixArg = ['--argstr', 'packages', await debianPackages()].join('\n');
  image = { file: IMAGES, attr: 'small', 'nix-arg': nixArg };
});

afterAll(async () => {
  await registry?.stop();
  await temp?.remove();
});

beforeEach(async () => {
  results = await startResults();
  return () => results.stop();
});

interface Change {
  readonly with?: Record<string, string>;
  readonly attempt?: number;
  readonly event?: unknown;
  readonly run?: number;
  readonly env?: Record<string, string>;
}

const build = (system: string, change: Change = {}): Promise<StepResult> =>
  runStep('build', {
    results,
    job: { run: change.run ?? 7, job: `build-${system}`, attempt: change.attempt ?? 1 },
    temp: temp.path,
    with: { ...image, system, ...change.with },
    event: change.event,
    env: change.env ?? {},
  });

const publish = (to: string, change: Change = {}): Promise<StepResult> =>
  runStep('publish', {
    results,
    job: { run: change.run ?? 7, job: 'publish', attempt: change.attempt ?? 1 },
    temp: temp.path,
    with: { to: `${registry.host}/${to}`, ...change.with },
    event: change.event,
    env: change.env ?? {},
  });

const indexAt = async (name: string): Promise<{ manifests: { digest: string }[]; annotations?: object }> => {
  const { stdout } = await runProgram(cranePath(), ['manifest', '--insecure', `${registry.host}/${name}`]);
  return JSON.parse(stdout);
};

const tagsOf = async (name: string): Promise<unknown> =>
  ((await (await fetch(`http://${registry.host}/v2/${name}/tags/list`)).json()) as { tags?: unknown }).tags;

describe('two build jobs and a fan-in', () => {
  test('by artifact: one index of both, outputs and summaries', async () => {
    const env = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'org/app', GITHUB_SHA: 'c0ffee' };
    const built = [await build('x86_64-linux', { env }), await build('aarch64-linux', { env })];
    for (const { exitCode, log } of built) expect(exitCode, log).toBe(0);
    expect(
      results
        .artifacts()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['handover-test~small-aarch64-linux-1.tar', 'handover-test~small-x86_64-linux-1.tar']);
    const lost = await publish('actions/artifact:v1', { with: { plan: '' } });
    expect(lost.exitCode).toBe(1);
    expect(lost.log).toContain('the plan is empty: it was lost between the jobs');
    expect(await tagsOf('actions/artifact')).toBeUndefined();
    const published = await publish('actions/artifact:v1');
    expect(published.exitCode, published.log).toBe(0);
    const index = await indexAt('actions/artifact:v1');
    expect(index.manifests.map(({ digest }) => digest)).toEqual(built.map(({ outputs }) => outputs.digest));
    expect(index.annotations).toMatchObject({
      'org.opencontainers.image.source': 'https://github.com/org/app',
      'org.opencontainers.image.revision': 'c0ffee',
    });
    expect(published.outputs.references).toBe(`docker://${registry.host}/actions/artifact:v1`);
    const { digest = '' } = published.outputs;
    const [tagged, byDigest] = [`${registry.host}/actions/artifact:v1`, `${registry.host}/actions/artifact@${digest}`];
    expect(published.outputs['digest-references']).toBe(byDigest);
    expect(JSON.parse(published.outputs.metadata ?? '')).toMatchObject({
      'containerimage.digest': digest,
      'image.name': tagged,
    });
    expect(JSON.parse(published.outputs.json ?? '')).toEqual({
      'test/small': {
        digest,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        references: [tagged],
        digestReferences: [byDigest],
        platforms: SYSTEMS.map((system, at) => ({
          system,
          platform: ['linux/amd64', 'linux/arm64'][at],
          digest: built[at]?.outputs.digest,
          size: expect.any(Number),
        })),
      },
    });
    expect(published.summary).toContain('| linux/arm64 |');
    expect(built[0]?.summary).toContain('### test/small for x86_64-linux');
  });

  test('five merges that follow one another are five published revisions, and the branch means the last', async () => {
    expect((await build('x86_64-linux')).exitCode).toBe(0);
    const commits = [1, 2, 3, 4, 5].map((digit) => String(digit).repeat(40));
    for (const commit of commits) {
      const env = {
        GITHUB_EVENT_NAME: 'push',
        GITHUB_REF: 'refs/heads/main',
        GITHUB_REF_NAME: 'main',
        GITHUB_REF_TYPE: 'branch',
        GITHUB_SHA: commit,
      };
      const tags = 'type=ref,event=branch\ntype=sha';
      const published = await publish('actions/merges', { with: { tags, 'allow-missing': 'true' }, env });
      expect(published.exitCode, published.log).toBe(0);
      expect(published.outputs.references).toContain(`actions/merges:sha-${commit.slice(0, 7)}`);
    }
    const names = commits.map((commit) => `sha-${commit.slice(0, 7)}`);
    expect(await tagsOf('actions/merges')).toEqual(expect.arrayContaining(['main', ...names]));
    expect(await indexAt('actions/merges:main')).toEqual(await indexAt(`actions/merges:${names.at(-1)}`));
  });

  test('through the registry: artifacts of a few kilobytes, kept for a week', async () => {
    for (const system of SYSTEMS) {
      const { exitCode, log } = await build(system, {
        with: { to: `${registry.host}/actions/registry`, handover: 'registry' },
      });
      expect(exitCode, log).toBe(0);
    }
    for (const { bytes } of results.artifacts()) expect(bytes?.length).toBeLessThan(10_240);
    const published = await publish('actions/registry:v1');
    expect(published.exitCode, published.log).toBe(0);
    expect((await indexAt('actions/registry:v1')).manifests).toHaveLength(2);
  });

  test('one job fails, is run again alone, and the fan-in takes the newest of each', async () => {
    expect((await build('x86_64-linux', { with: { attr: 'broken' } })).exitCode).toBe(1);
    expect((await build('aarch64-linux')).exitCode).toBe(0);
    const early = await publish('actions/again:v1');
    expect(early.exitCode).toBe(1);
    expect(early.log).toMatch(/no image for x86_64-linux/);
    expect(early.summary).toMatch(/no image for x86_64-linux/);
    expect(await tagsOf('actions/again')).toBeUndefined();

    const second = await build('x86_64-linux', { attempt: 2 });
    expect(second.exitCode, second.log).toBe(0);
    // And a third attempt of a job that had gone well: the newest counts.
    expect((await build('aarch64-linux', { attempt: 3 })).exitCode).toBe(0);
    const published = await publish('actions/again:v1', { attempt: 3 });
    expect(published.exitCode, published.log).toBe(0);
    expect(published.log).toContain('Downloading the artifact handover-test~small-aarch64-linux-3.tar');
    expect(published.log).not.toContain('Downloading the artifact handover-test~small-aarch64-linux-1.tar');
    expect((await indexAt('actions/again:v1')).manifests).toHaveLength(2);
  });

  test("a fork's pull request is built and reported on; nothing is handed over or published", async () => {
    const built = await build('x86_64-linux', { event: FORK, with: { to: `${registry.host}/actions/fork` } });
    expect(built.exitCode, built.log).toBe(0);
    expect(built.summary).toContain('not handed over');
    // What is in it, for the run's summary: a few kilobytes, without a layer.
    const [report, ...others] = results.artifacts();
    expect([report?.name, others]).toEqual(['report-test~small-x86_64-linux-1.tar', []]);
    expect(report?.bytes?.length).toBeLessThan(64 * 1024);
    const published = await publish('actions/fork:v1', { event: FORK, with: { plan: '' } });
    expect(published.exitCode).toBe(0);
    expect(published.outputs).toMatchObject({ digest: '', digests: '{}', json: '{}', metadata: '{}' });
    expect(published.log).toContain("Nothing is published for a fork's pull request");
    expect(await tagsOf('actions/fork')).toBeUndefined();
  });

  test("a fork's full layout, when it is asked for, stays in its run", async () => {
    const built = await build('x86_64-linux', { event: FORK, with: { handover: 'artifact' } });
    expect(built.exitCode, built.log).toBe(0);
    expect(results.artifacts()).toHaveLength(1);
    const elsewhere = await publish('actions/other-run:v1', { run: 8, with: { 'allow-missing': 'true' } });
    expect(elsewhere.exitCode).toBe(1);
    expect(elsewhere.log).toMatch(/none of this run's artifacts is a handover/);
  });

  test('a child manifest that the registry lost is put again; lost layers name the job to run again', async () => {
    const own = await startRegistry();
    try {
      const to = `${own.host}/lost/app`;
      const digests: Record<string, string> = {};
      for (const system of SYSTEMS) {
        const built = await build(system, { with: { to, handover: 'registry' } });
        digests[system] = built.outputs.digest ?? '';
      }
      const manifest = `http://${own.host}/v2/lost/app/manifests/${digests['x86_64-linux']}`;
      const layers = (
        (await (await fetch(manifest, { headers: OCI })).json()) as { layers: { digest: string; size: number }[] }
      ).layers;
      expect((await fetch(manifest, { method: 'DELETE' })).status).toBe(202);
      const again = await publish('', { with: { to: `${to}:v1` } });
      expect(again.exitCode, again.log).toBe(0);
      expect((await fetch(manifest, { method: 'HEAD', headers: OCI })).status).toBe(200);

      const largest = layers.sort((a, b) => b.size - a.size)[0]?.digest;
      expect((await fetch(`http://${own.host}/v2/lost/app/blobs/${largest}`, { method: 'DELETE' })).status).toBe(202);
      const lost = await publish('', { with: { to: `${to}:v2` } });
      expect(lost.exitCode).toBe(1);
      expect(lost.log).toMatch(/has lost layers of the image for x86_64-linux/);
      expect(lost.log).toMatch(/build-x86_64-linux/);
    } finally {
      await own.stop();
    }
  });
});

describe('what is wrong is said in log and summary', () => {
  const says = (step: StepResult, ...parts: RegExp[]): void => {
    expect(step.exitCode, step.log).toBe(1);
    for (const part of parts) {
      expect(step.log).toMatch(part);
      expect(step.summary).toMatch(part);
    }
    expect(step.log).toMatch(/^::error /m);
  };

  test('no image named', async () => {
    says(await runStep('build', { results, job: { run: 7, job: 'b' }, temp: temp.path, with: {} }), /missing image/);
  });

  test('an unknown value, with those allowed', async () => {
    says(
      await build('x86_64-linux', { with: { handover: 'pigeon' } }),
      /pigeon/,
      /auto, artifact, registry, report, none/,
    );
  });

  test('a system that is none', async () => {
    says(await build('x86-64'), /x86-64/, /x86_64-linux, aarch64-linux/);
  });

  test('no artifacts: the names that were looked for and those that exist', async () => {
    says(await publish('actions/none:v1'), /handover-IMAGE-x86_64-linux-ATTEMPT\.tar/, /the run has no artifacts/);
  });

  test('the registry asked for without a destination', async () => {
    says(await build('x86_64-linux', { with: { handover: 'registry' } }), /`to` names none/);
  });

  test('a corrupted artifact', async () => {
    await build('x86_64-linux');
    results.faults.add({ kind: 'corrupt', route: 'GetBlob', times: 100 });
    says(await publish('actions/corrupt:v1', { with: { 'allow-missing': 'true' } }), /digest|sha256|damaged/i);
    expect(await tagsOf('actions/corrupt')).toBeUndefined();
  });

  test('a step without the run’s token', async () => {
    const step = await runStep('publish', {
      results,
      job: { run: 7, job: 'publish' },
      temp: temp.path,
      with: { to: `${registry.host}/actions/token:v1` },
      env: { ACTIONS_RUNTIME_TOKEN: '' },
    });
    says(step, /ACTIONS_RUNTIME_TOKEN/);
  });
});
