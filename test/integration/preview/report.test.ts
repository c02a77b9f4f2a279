import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData } from '../../support/cli.ts';
import { copyFlake, type FlakeCopy } from '../plan/kit.ts';
import { openRepository, pullPayload } from './kit.ts';

let flake: FlakeCopy;
let registry: RegistryEmulator;
let to: string;
let published: string;

const IMAGES = JSON.stringify([{ name: 'app', kind: 'definition', systems: [], why: '' }]);

/** Publishes the app in these versions, and gives its digest. */
async function publish(tag: string, libcrypto: string): Promise<string> {
  await flake.write('versions.nix', `{ app = "1.9"; libcrypto = "${libcrypto}"; data = "1"; }`);
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

test("a fork's pull request has the summary, and nothing is asked of GitHub", async () => {
  const { comments, github, run } = await openRepository({ pulls: [{ number: 7, state: 'open' }], permissions: {} });
  const payload = pullPayload('opened');
  payload.pull_request.head.repo.full_name = 'stranger/app';
  const { summary, failure } = await run(to, { payload, given: { images: IMAGES } });
  expect(failure).toBeUndefined();
  expect(summary).toContain('It comes from a fork');
  expect(comments).toEqual([]);
  expect(github.requests).toEqual([]);
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
