import { randomUUID } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Cloud, startCloud } from '../emulators/aws/cloud/emulator.ts';
import { type GitHubEmulator, startGitHub } from '../emulators/github/emulator.ts';
import { releaseUploadRoutes, type UploadState } from '../emulators/github/release-uploads.ts';
import { type Issuer, startIssuer } from '../emulators/oidc/issuer.ts';
import { type ResultsEmulator, startResults } from '../emulators/results/emulator.ts';
import { TEST_NIX_CONFIG } from '../support/nix.ts';
import { type RunningRegistry, startRegistry } from '../support/registry.ts';
import { releaseTree } from '../support/release.ts';
import { ROOT } from '../support/root.ts';
import { standInDisk } from '../support/stand-in-disk.ts';
import { programPath, runProgram, type TempDir, uniqueTempDir } from '../support/tools.ts';
import { uefiDisk } from '../support/uefi-disk.ts';
import { CONSUMER, jobOf, runWorkflow, type WorkflowRun } from './harness/act.ts';
import { type ConsumerDisk, consumerFlake } from './harness/consumer.ts';
import { pushToMain } from './harness/events.ts';
import { createLibrary, type Library } from './harness/library.ts';
import { type NixCalls, watchNix } from './harness/nix-calls.ts';
import { writeFiles } from './harness/repository.ts';
import { withoutCache } from './harness/stage.ts';

// Each run has up to six jobs, half of them emulated, beside other tests.
vi.setConfig({ testTimeout: 400_000 });

const WORKFLOW = '.github/workflows/images.yml';
const TEMPLATE = join(ROOT, 'nix/templates/multi-image', WORKFLOW);
const JOBS = join(ROOT, 'workflows/matrix.yml');
const PAGE = join(ROOT, 'docs/amis.md');

/** Who GitHub says that a job in the environment of the page is. */
const SUBJECT = 'repo:org@1001/consumer@2002:environment:aws';
const ROLE = 'arn:aws:iam::123456789012:role/amis';

/** How much faster than the machine's the cloud's time is: copies take half a second. */
const SPEED = 600;

let temp: TempDir;
let release: TempDir;
let library: Library;
let registry: RunningRegistry;
let results: ResultsEmulator;
let nix: NixCalls;
let github: GitHubEmulator;
let caller: string;
/** The same jobs in the open. */
let jobs: string;
/** The workflow of the page on AMIs. */
let amis: string;
let issuer: Issuer;
let cloud: Cloud;
const state: UploadState = { repository: CONSUMER, releases: [], nextId: 1 };
/** Artifacts belong to a run. */
let runs = 0;

beforeAll(async () => {
  [temp, release, registry, nix, issuer] = await Promise.all([
    uniqueTempDir('e2e'),
    releaseTree(),
    startRegistry({ countRequests: true }),
    watchNix(),
    startIssuer({ subject: SUBJECT }),
  ]);
  const begin = Date.now();
  cloud = await startCloud({
    ...{ lags: 'none', keepsBlocks: true, verifyIdToken: (token) => issuer.verify(token) },
    now: () => begin + (Date.now() - begin) * SPEED,
  });
  cloud.state.roles.set(ROLE, { trustsToken: ({ sub }) => sub === SUBJECT });
  let origin = '';
  github = await startGitHub({
    ...{ repository: CONSUMER, permissions: { contents: 'write' } },
    routes: releaseUploadRoutes(state, () => origin),
  });
  origin = github.url;
  const own = await readFile(JOBS, 'utf8');
  library = await createLibrary(release.path, [own]);
  // The template's own workflow, but for the registry.
  const text = await readFile(TEMPLATE, 'utf8');
  // What is for disks alone makes no difference where there is none.
  const to = [
    ...['{name}', '{name}-kubevirt as=container-disk'].map((name) => `${registry.host}/team/${name}`),
    `release:${CONSUMER}@disks`,
  ];
  // So few jobs that images for one system go together.
  const few = '\n      max-jobs: 3';
  const destinations = `to: |${to.map((line) => `\n        ${line}`).join('')}${few}`;
  caller = withoutCache(text).replace(/to: .*/, destinations);
  const [, page = ''] = /```yaml workflow\n([\s\S]*?)```/.exec(await readFile(PAGE, 'utf8')) ?? [];
  amis = withoutCache(page)
    .replace("tags: ['v*']", 'branches: [main]')
    .replace(/to: .*/, destinations);
  jobs = own.replace(/TO: .*/, `TO: |${to.map((line) => `\n    ${line}`).join('')}`);
  const auths = { [registry.host]: { auth: Buffer.from('somebody:secret').toString('base64') } };
  await writeFiles(temp.path, { 'config.json': JSON.stringify({ auths }) });
});

afterAll(async () => {
  await registry?.stop();
  await github?.stop();
  await cloud?.stop();
  await issuer?.stop();
  await nix?.[Symbol.asyncDispose]();
  await library?.remove();
  await release?.remove();
  await temp?.remove();
});

beforeEach(async () => {
  results = await startResults({ repository: CONSUMER });
  return () => results.stop();
});

interface Figures {
  readonly run: WorkflowRun;
  /** `NAME for SYSTEM` of the build jobs. */
  readonly built: readonly string[];
  readonly evaluations: number;
  readonly requests: number;
  readonly seconds: number;
}

interface Pushed {
  readonly ref?: string;
  readonly disk?: ConsumerDisk;
  /** Default: what calls images.yml. */
  readonly workflow?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const push = async (
  images: Readonly<Record<string, string>>,
  { ref = 'refs/heads/main', disk, workflow = caller, env = {} }: Pushed = {},
): Promise<Figures> => {
  const flake = await consumerFlake(release.path, images, disk);
  await nix.takeEvaluations();
  const asked = registry.requests().length;
  const started = performance.now();
  const run = await runWorkflow({
    library,
    files: { ...flake, [WORKFLOW]: workflow },
    workflow: WORKFLOW,
    payload: { ...pushToMain(), ref },
    programs: nix.programs,
    secrets: { GITHUB_TOKEN: github.token },
    env: {
      ...results.environment({ run: ++runs, job: 'all', attempt: 1 }),
      GITHUB_API_URL: github.url,
      NIX_CONFIG: TEST_NIX_CONFIG,
      DOCKER_CONFIG: temp.path,
      ...env,
    },
  });
  const seconds = (performance.now() - started) / 1000;
  expect(run.ok, run.log).toBe(true);
  const built = run.jobs
    .filter(({ id, result }) => id === 'build' && result !== undefined)
    .map(({ matrix }) => `${matrix.name} for ${matrix.system}`)
    .sort();
  const evaluations = (await nix.takeEvaluations()).length;
  return { run, built, evaluations, requests: registry.requests().length - asked, seconds };
};

const digestsOf = async (name: string, tags: readonly string[]): Promise<(string | null)[]> => {
  const headers = { accept: 'application/vnd.oci.image.index.v1+json' };
  const answers = await Promise.all(
    tags.map((tag) => fetch(`http://${registry.host}/v2/team/${name}/manifests/${tag}`, { headers })),
  );
  return answers.map((answer) => answer.headers.get('docker-content-digest'));
};

const told = ({ built, evaluations, requests, seconds }: Figures): string =>
  `${built.length} build jobs, ${evaluations} evaluations by nix, ${requests} requests to the registry, ${seconds.toFixed(1)} s`;

const SYSTEMS = ['aarch64-linux', 'x86_64-linux'];

test('the first run builds everything, the second nothing, the third what changed, and a release moves tags', async ({
  annotate,
}) => {
  const first = await push({ app: 'one', tool: 'one' });
  await annotate(`first run: ${told(first)}`);
  // Three jobs at most: the images for one system go together, each with a handover of its own.
  expect(first.built).toEqual(['app and 1 more for aarch64-linux', 'app for x86_64-linux', 'tool for x86_64-linux']);
  expect(jobOf(first.run, 'build', { system: 'aarch64-linux' }).output).toContain('tool: aarch64-linux: ');
  const [app, appMain] = await digestsOf('app', ['latest', 'main']);
  const [tool] = await digestsOf('tool', ['latest']);
  expect(app).toMatch(/^sha256:/);
  expect(appMain).toBe(app);

  const second = await push({ app: 'one', tool: 'one' });
  await annotate(`nothing changed: ${told(second)}`);
  expect(second.built).toEqual([]);
  expect(jobOf(second.run, 'publish').result).toBe('success');
  expect(await digestsOf('app', ['latest', 'main'])).toEqual([app, app]);
  expect(second.evaluations).toBeLessThan(first.evaluations);

  const third = await push({ app: 'two', tool: 'one' });
  await annotate(`one image changed: ${told(third)}`);
  expect(third.built).toEqual(SYSTEMS.map((system) => `app for ${system}`));
  const [changed, changedMain] = await digestsOf('app', ['latest', 'main']);
  expect(changed).not.toBe(app);
  expect(changedMain).toBe(changed);
  expect(await digestsOf('tool', ['latest'])).toEqual([tool]);

  const released = await push({ app: 'two', tool: 'one' }, { ref: 'refs/tags/v1.2.3' });
  await annotate(`a release of the same: ${told(released)}`);
  expect(released.built).toEqual([]);
  expect(await digestsOf('app', ['1.2.3', '1.2'])).toEqual([changed, changed]);
  expect(await digestsOf('tool', ['1.2.3', '1.2', 'v1.2.3'])).toEqual([tool, tool, null]);
});

/** Expects that what the disk was built with is in GitHub's cache, and that the jobs of matrix.yml have merged it. */
const expectCached = ({ run }: Figures): void => {
  expect(jobOf(run, 'build').output).toMatch(/stored \d+ paths? \(.*\) in \d packs? of GitHub's cache/);
  expect(jobOf(run, 'cache').result, run.log).toBe('success');
  const kinds = results.caches.all().map(({ key }) => key.split('-')[3]);
  expect(new Set(kinds)).toEqual(new Set(['index', 'pack', 'part']));
};

const assets = (): string[] =>
  state.releases.flatMap(({ draft, assets: all }) => all.map(({ name }) => `${name} ${draft}`));

const inOrder = <T extends { readonly region: string }>(all: readonly T[]): readonly T[] =>
  all.toSorted((a, b) => (a.region < b.region ? -1 : 1));

/** Expects what the page promises, in the cloud itself. Gives the number of requests until now. */
function expectAmis(run: WorkflowRun): number {
  const { snapshots, ...found } = cloud.contents();
  const [images, parameters] = [inOrder(found.images), inOrder(found.parameters)];
  const regions = ['eu-central-1', 'us-east-1'];
  expect(images.map(({ region, state, isPublic }) => [region, state, isPublic])).toEqual(
    regions.map((region) => [region, 'available', true]),
  );
  expect(parameters.map(({ region, name, value }) => [region, name, value])).toEqual(
    images.map(({ region, id }) => [region, '/images/vm/x86_64/stable', id]),
  );
  // From there the next disk's blocks are compared with this one's.
  const sources = snapshots.flatMap(({ tags }) => tags['nix-images:source'] ?? []);
  expect(sources).toEqual([expect.stringMatching(`^docker://${registry.host}/team/vm@sha256:[0-9a-f]{64}$`)]);
  const deploy = jobOf(run, 'deploy');
  for (const { id } of images) expect(deploy.summary).toContain(id);
  const kept = results.artifacts().map(({ name }) => name);
  expect(kept).toContainEqual(expect.stringMatching(/^amis-[0-9a-f]{8}-1\.json$/));
  expect(kept).toContainEqual(expect.stringMatching(/^amis-[0-9a-f]{8}-1\.journal\.jsonl$/));
  const assumed = cloud.requests.filter(({ verb }) => verb === 'sts:AssumeRoleWithWebIdentity');
  expect(assumed.map(({ outcome }) => outcome)).toContain('done');
  expect(cloud.violations).toEqual([]);
  return cloud.requests.length;
}

/** A place on the disk of `uefiDisk` that holds data. */
const DATA = 45 * 1024 * 1024;

// Four jobs and then three, twice, and the deployment; one disk has 64 MiB, of which 4 are data, the other 100 MB of data.
test('a container and a disk are built and published, in all forms of the disk, deployed as AMIs, and not again, by images.yml and by its jobs in the open', async ({
  annotate,
}) => {
  // In its data, each has its name, and what no other run had: so it is built here.
  const packed = async (name: string): Promise<string> => {
    const path = join(temp.path, name);
    await uefiDisk(path);
    {
      await using file = await open(path, 'r+');
      await file.write(`${name} ${randomUUID()}`, DATA);
    }
    await runProgram(programPath('zstd'), ['-q', '-19', path]);
    return (await readFile(`${path}.zst`)).toString('base64');
  };
  const live: string[] = [];
  for (const [name, workflow, disk, env] of [
    ['images.yml', amis, await standInDisk(), { ...issuer.environment, AWS_ENDPOINT_URL: cloud.url }],
    ['matrix.yml', jobs, await packed('matrix.yml'), {}],
  ] as const) {
    // The image is live already.
    const first = await push({ app: 'two' }, { disk, workflow, env });
    await annotate(`${name}, a disk beside an image: ${told(first)}`);
    expect(first.built).toEqual(['vm for x86_64-linux']);
    const [artifact] = await digestsOf('vm', ['latest']);
    const [kubevirt] = await digestsOf('vm-kubevirt', ['latest']);
    expect([artifact, kubevirt]).toEqual([expect.stringMatching(/^sha256:/), expect.stringMatching(/^sha256:/)]);
    expect(kubevirt).not.toBe(artifact);
    const files = ['vm-x86_64-linux.raw.zst', ...(name === 'images.yml' ? ['vm-x86_64-linux.positions.json'] : [])];
    expect(assets().sort()).toEqual(['SHA256SUMS', ...files].map((file) => `${file} false`).sort());
    live.push(`${artifact}`);
    if (workflow === jobs) expectCached(first);
    const asked = workflow === amis ? expectAmis(first.run) : cloud.requests.length;
    const before = cloud.contents();

    const second = await push({ app: 'two' }, { disk, workflow, env });
    await annotate(`${name}, nothing changed: ${told(second)}`);
    expect(second.built).toEqual([]);
    expect(jobOf(second.run, 'publish').result).toBe('success');
    expect(await digestsOf('vm', ['latest', 'main'])).toEqual([artifact, artifact]);
    expect(await digestsOf('vm-kubevirt', ['latest', 'main'])).toEqual([kubevirt, kubevirt]);
    expect(cloud.contents()).toEqual(before);
    const changes = cloud.requests.slice(asked).filter(({ verb }) => !/:(?:Describe|Get|AssumeRole)/.test(verb));
    expect(changes).toEqual([]);
  }
  expect(new Set(live).size).toBe(2);
});
