import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseLocationTemplate } from '../../../src/storage/location-template.ts';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { startResults } from '../../emulators/results/emulator.ts';
import { runStep } from '../../support/action.ts';
import { cliData } from '../../support/cli.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { copyFlake, type FlakeCopy } from '../plan/kit.ts';
import { openRepository, pullPayload } from './kit.ts';

let flake: FlakeCopy;
let registry: RegistryEmulator;
let to: string;
let published: string;

const IMAGES = JSON.stringify([{ name: 'app', kind: 'definition', systems: [], why: '' }]);

const write = (libcrypto: string): Promise<void> =>
  flake.write('versions.nix', `{ app = "1.9"; libcrypto = "${libcrypto}"; data = "1"; }`);

/** Publishes the app in these versions, and gives its digest. */
async function publish(tag: string, libcrypto: string): Promise<string> {
  await write(libcrypto);
  const words = ['publish', `${flake.flake}#app`, '--to', to.replace('{name}', 'app'), '--tag', tag];
  return (await cliData<{ digest: string }>(words)).digest;
}

beforeAll(async () => {
  flake = await copyFlake('versions');
  registry = await startEmulator();
  to = `${registry.host}/org/{name}`;
  await publish('main', '3.0.15');
  const digest = await publish('pr-7', '3.0.16');
  const repository = `${registry.host}/org/app`;
  const references = [`${repository}:pr-7-bbbbbbb`, `${repository}:pr-7`];
  published = JSON.stringify({ app: { digest, references, digestReferences: [`${repository}@${digest}`] } });
});

afterAll(async () => {
  await registry?.stop();
  await flake?.remove();
});

const given = () => ({ images: IMAGES, published });

test('comments how to pull the image and what changed, and updates that comment', async () => {
  const { comments, run } = await openRepository({ pulls: [{ number: 7, state: 'open' }] });
  const { summary, failure } = await run(to, { given: given() });
  expect(failure).toBeUndefined();
  const [comment] = comments;
  expect(comment?.body).toContain(`docker pull ${registry.host}/org/app:pr-7\n`);
  expect(comment?.body).toContain('| layers reused |');
  expect(comment?.body).toMatch(/<code>libcrypto<\/code> \| upgraded \| <code>3&#46;0&#46;15 → 3&#46;0&#46;16<\/code>/);
  expect(comment?.body).toContain('largest packages');
  expect(summary).toContain('libcrypto');
  await run(to, { run: 78, given: { images: IMAGES }, payload: pullPayload('synchronize', { head: 'c'.repeat(40) }) });
  expect(comments).toHaveLength(1);
  expect(comments[0]?.body).toContain('Not published.');
  // A slower, older run leaves the newer text.
  await run(to, { given: given() });
  expect(comments[0]?.body).toContain('runs/78');
});

test('an image that is over its budget fails the check once all is told', async () => {
  const { comments, run } = await openRepository({ pulls: [{ number: 7, state: 'open' }] });
  const { failure, outputs } = await run(to, { given: given(), budget: ['app=100B'] });
  expect(outputs.overBudget).toBe('app');
  expect(failure?.message).toMatch(/^app for linux\/amd64 weighs .*, and its budget is 100 B\napp for linux\/arm64/);
  expect(comments[0]?.body).toContain('**Over budget:**');
});

/** A run of a fork's pull request, as it is told. */
const forkPayload = () => {
  const payload = pullPayload('opened');
  payload.pull_request.head.repo.full_name = 'stranger/app';
  return payload;
};

test("a fork's pull request has what changed in its summary, read without a login from its build jobs and the base branch", async () => {
  await using temp = await uniqueTempDir('fork');
  const results = await startResults();
  onTestFinished(() => results.stop());
  const payload = forkPayload();
  await write('3.0.17');
  // A process, which loads GitHub's client: a second or two.
  const job = { run: 77, job: 'build', attempt: 1 };
  const inputs = { installable: `${flake.flake}#app`, system: 'x86_64-linux', to, handover: 'report' };
  const built = await runStep('build', { results, job, temp: temp.path, event: payload, with: inputs });
  expect(built.exitCode, built.log).toBe(0);
  expect(results.artifacts().map(({ name }) => name)).toEqual(['report-app-x86_64-linux-1.tar']);
  const asked = registry.requests.length;
  const { comments, run, log } = await openRepository({
    pulls: [{ number: 7, state: 'open' }],
    permissions: { 'pull-requests': 'read' },
    results,
  });
  const { summary, failure, text } = await run(to, { payload, given: { images: IMAGES }, budget: ['100B'] });
  expect(summary).toContain('It comes from a fork');
  expect(summary).toMatch(/<code>libcrypto<\/code> \| upgraded \| <code>3&#46;0&#46;15 → 3&#46;0&#46;17<\/code>/);
  expect(summary).toMatch(/Compared with <code>127&#46;/);
  expect(summary).not.toContain('docker&#58;');
  expect(summary).toContain('| layers reused |');
  expect(summary).not.toContain('docker pull');
  expect(text).toBe('app: not published');
  expect(failure?.message).toMatch(/^app for linux\/amd64 weighs/);
  expect(registry.requests.slice(asked).filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  expect(comments).toEqual([]);
  expect(log.lines.join('\n')).toContain("no comment from a fork's run");
});

test("a fork's run whose token may comment does so; without a report of a build job it says that nothing is known", async () => {
  const results = await startResults();
  onTestFinished(() => results.stop());
  const { comments, run } = await openRepository({ pulls: [{ number: 7, state: 'open' }], results });
  const { failure } = await run(to, { payload: forkPayload(), given: { images: IMAGES } });
  expect(failure).toBeUndefined();
  expect(comments[0]?.body).toMatch(/It comes from a fork[\s\S]*### app\n\nNot published\./);
});

test.each([
  ['closed', { 'pull-requests': 'read' }, false, /pr-8 is not moved: pull request 8 is closed/],
  // The job that comments looks at it afterwards.
  ['closed', {}, true, /whether pull request 8 is still open is not known/],
] as const)('a publish of a pull request that is %s by now, with %o: its tag moves: %s', async (state, permissions, moves, said) => {
  await using temp = await uniqueTempDir('closed');
  const results = await startResults();
  onTestFinished(() => results.stop());
  const { github } = await openRepository({ pulls: [{ number: 8, state }], permissions });
  // A process, which loads GitHub's client: a second or two.
  const { exitCode, log, outputs } = await runStep('publish', {
    ...{ results, job: { run: 77, job: 'publish', attempt: 1 }, temp: temp.path },
    event: pullPayload('synchronize', { number: 8 }),
    with: { installable: `${flake.flake}#app`, to, tags: 'type=ref,event=pr', token: github.token },
    env: {
      ...{ GITHUB_EVENT_NAME: 'pull_request', GITHUB_REF: 'refs/pull/8/merge', GITHUB_BASE_REF: 'main' },
      ...{ GITHUB_SHA: 'c'.repeat(40), GITHUB_API_URL: github.url },
    },
  });
  expect(exitCode, log).toBe(0);
  expect(log).toMatch(said);
  expect(registry.store.tags('org/app').has('pr-8')).toBe(moves);
  expect(outputs.references?.includes('pr-8')).toBe(moves);
  expect(outputs.digest).toMatch(/^sha256:/);
  registry.store.removeManifest('org/app', 'pr-8');
});

const MANY = Array.from({ length: 60 }, (_, at) => `app-${100 + at}`);

/** More images than a comment has room for. */
const many = () => ({
  published: JSON.stringify(Object.fromEntries(MANY.map((name) => [name, JSON.parse(published).app]))),
  base: parseLocationTemplate(`${registry.host}/org/app:main`),
});

test('a comment that would be too long is shortened, and leads to the whole report, an artifact of the run', async () => {
  const results = await startResults();
  onTestFinished(() => results.stop());
  const { comments, run } = await openRepository({ pulls: [{ number: 7, state: 'open' }], results });
  const { failure } = await run(to, { given: { ...many(), name: 'all of them' } });
  expect(failure).toBeUndefined();
  const body = comments[0]?.body ?? '';
  expect(body.length).toBeLessThan(60_500);
  const [report] = results.artifacts();
  expect(report?.name).toBe('preview-7-all-of-them-1.md');
  expect(body).toContain(
    `[an artifact of the run](https://github.com/org/app/actions/runs/77/artifacts/${report?.id})`,
  );
  const whole = report?.bytes?.toString() ?? '';
  expect(whole.length).toBeGreaterThan(60_500);
  for (const name of MANY) expect(whole).toContain(`### ${name}\n`);
});

test('without the service for artifacts a comment that is too long is shortened all the same', async () => {
  const { comments, run, log } = await openRepository({ pulls: [{ number: 7, state: 'open' }] });
  await run(to, { given: many() });
  expect(comments[0]?.body).toContain('_Shortened._ The summary of the run has more of it.');
  expect(log.lines.join('\n')).toContain('cannot upload the whole report');
});

test('where the base branch cannot be read, what the image weighs is told and its budget counts', async () => {
  const { comments, run } = await openRepository({ pulls: [{ number: 7, state: 'open' }] });
  const base = parseLocationTemplate('oci:/nonexistent/{name}:main');
  const { failure } = await run(to, { given: { ...given(), base }, budget: ['100B'] });
  expect(failure?.message).toContain('its budget is 100 B');
  expect(comments[0]?.body).toMatch(/It cannot be compared with the base branch[\s\S]*\| size \|/);
  expect(comments[0]?.body).not.toContain('New: the base');
});

test('without the permission the summary is there all the same, and the failure says the line to add', async () => {
  const { run } = await openRepository({
    pulls: [{ number: 7, state: 'open' }],
    permissions: { 'pull-requests': 'read' },
  });
  const { summary, failure } = await run(to, { given: given() });
  expect(summary).toContain('libcrypto');
  expect(failure?.hint).toContain('permissions: { pull-requests: write }');
});

test.each([
  ['push', 'the event push is not that of a pull request'],
  ['pull_request_target', 'the event pull_request_target is not that of a pull request'],
])('the event %s is refused', async (event, message) => {
  const { run } = await openRepository({ pulls: [] });
  await expect(run(to, { event })).rejects.toMatchObject({ code: 'input', message });
});

test('an unknown pull request is named', async () => {
  const { run } = await openRepository({ pulls: [{ number: 7, state: 'open' }] });
  const payload = pullPayload('opened', { number: 99 });
  await expect(run(to, { payload, given: given() })).rejects.toThrow('org/app has no pull request 99');
});

test.each([
  ['images', '{}'],
  ['published', '{"app":1}'],
  ['published', 'nonsense'],
])('what is not the output of another job is refused: %s', async (name, text) => {
  const { run } = await openRepository({ pulls: [{ number: 7, state: 'open' }] });
  await expect(run(to, { given: { [name]: text } })).rejects.toMatchObject({ code: 'input' });
});
