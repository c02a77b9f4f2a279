import { expect, test } from 'vitest';
import { markerLine, readMarker } from '../../../src/preview/marker.ts';
import { commentRoutes } from '../../emulators/github/comments.ts';
import type { Pull } from '../../emulators/github/pulls.ts';
import type { EmulatorOptions } from '../../emulators/registry/emulator.ts';
import { putIndex, scene } from '../prune/kit.ts';
import { openRepository, pullPayload } from './kit.ts';

/** A registry with the images of some tags; equal contents are one index with several tags. */
const publishAll = async (tags: Readonly<Record<string, string>>, options: EmulatorOptions = {}) => {
  const stage = await scene(options);
  const indexes = new Map<string, Awaited<ReturnType<typeof putIndex>>>();
  for (const [tag, content] of Object.entries(tags)) {
    const index = indexes.get(content) ?? (await putIndex(stage.to, content));
    indexes.set(content, index);
    await stage.to.tag(tag, index.index);
  }
  const publish = async (tag: string, content: string) => stage.to.tag(tag, (await putIndex(stage.to, content)).index);
  return {
    ...stage,
    publish,
    at: (content: string) => indexes.get(content),
    place: `${stage.registry.host}/org/{name}`,
  };
};

/** Has a run comment that it published the app, as one does before the pull request is closed. */
const commented = async (
  { comments, run }: Awaited<ReturnType<typeof openRepository>>,
  { place, tags, registry }: Awaited<ReturnType<typeof publishAll>>,
  number = 2,
) => {
  const digest = registry.store.tags('org/app').get(`pr-${number}`);
  const repository = place.replace('{name}', 'app');
  const app = { digest, references: [`${repository}:pr-${number}`], digestReferences: [`${repository}@${digest}`] };
  const payload = pullPayload('opened', { number });
  await run(place, { run: 70 + number, payload, given: { published: JSON.stringify({ app }) } });
  expect(tags()).toContain(`pr-${number}`);
  expect(comments.at(-1)?.body).toContain(`:pr-${number}\n`);
};

const TAGS = {
  main: 'shared',
  v1: 'v1',
  'pr-2': 'shared',
  'pr-2-abcdef0': 'first push',
  'pr-26': 'of another',
  'pr-26-abcdef0': 'first push',
};

test('what closing removes is that number and no other, a digest that main has too stays, and the comment says so', async () => {
  const pulls: Pull[] = [
    { number: 2, state: 'open' },
    { number: 26, state: 'open' },
  ];
  const registry = await publishAll(TAGS);
  const repository = await openRepository({ pulls });
  await commented(repository, registry);
  pulls[0] = { number: 2, state: 'closed' };
  const payload = pullPayload('closed', { number: 2 });
  const { outputs, failure } = await repository.run(registry.place, { run: 80, payload });
  expect(failure).toBeUndefined();
  expect(registry.tags().sort()).toEqual(['main', 'pr-26', 'pr-26-abcdef0', 'v1']);
  for (const content of Object.values(TAGS)) {
    const { index, images } = registry.at(content) ?? {};
    expect([index, ...(images ?? [])].every((one) => one && registry.has(one))).toBe(true);
  }
  expect(outputs.removed.split('\n')).toHaveLength(2);
  expect(repository.comments).toHaveLength(1);
  const body = repository.comments[0]?.body ?? '';
  expect(body).toContain('The pull request is closed');
  expect(body).toContain('<code>pr&#45;2&#45;abcdef0</code>');
  expect(readMarker(body)).toMatchObject({ state: 'removed', run: '80', images: ['app'] });
});

/** Pull request 2, whose image nothing else means, after it was closed and run 80 has removed what it had. */
async function closed() {
  const registry = await publishAll({ main: 'main', 'pr-2': 'own' });
  const pulls: Pull[] = [{ number: 2, state: 'open' }];
  const repository = await openRepository({ pulls });
  await commented(repository, registry);
  pulls[0] = { number: 2, state: 'closed' };
  await repository.run(registry.place, { run: 80, payload: pullPayload('closed', { number: 2 }) });
  return { registry, repository };
}

test('an index that only the pull request has goes with its images', async () => {
  const { registry } = await closed();
  const { index, images = [] } = registry.at('own') ?? {};
  expect([index, ...images].some((one) => one && registry.has(one))).toBe(false);
});

test('a build that ends after the pull request was closed undoes what it pushed', async () => {
  const { registry, repository } = await closed();
  expect(registry.tags()).toEqual(['main']);
  // Run 79 began before that, and pushes only now.
  await registry.publish('pr-2', 'late');
  const digest = registry.registry.store.tags('org/app').get('pr-2');
  const name = registry.place.replace('{name}', 'app');
  const app = { digest, references: [`${name}:pr-2`], digestReferences: [`${name}@${digest}`] };
  const payload = pullPayload('synchronize', { number: 2 });
  const { data } = await repository.run(registry.place, {
    run: 79,
    payload,
    given: { published: JSON.stringify({ app }) },
  });
  expect(data).toMatchObject({ state: 'closed' });
  expect(registry.tags()).toEqual(['main']);
  expect(repository.comments[0]?.body).toContain('runs/80');
});

test('one that is opened again meanwhile keeps what it has', async () => {
  const registry = await publishAll({ main: 'main', 'pr-2': 'own', 'pr-2-abcdef0': 'first push' });
  const pulls: Pull[] = [{ number: 2, state: 'open' }];
  const repository = await openRepository({ pulls });
  await commented(repository, registry);
  const payload = pullPayload('closed', { number: 2 });
  const { text } = await repository.run(registry.place, { run: 80, payload });
  expect(text).toContain('pull request 2 is open: nothing is removed');
  // Opened again while the first of two goes: the other stays.
  let asked = 0;
  pulls[0] = {
    number: 2,
    get state() {
      asked += 1;
      // Before all, for two lists, before the first and after it.
      return asked > 5 ? 'open' : 'closed';
    },
  };
  const second = await repository.run(registry.place, { run: 81, payload });
  expect(registry.tags().filter((tag) => tag.startsWith('pr-2'))).toHaveLength(1);
  expect(second.text).toContain('pull request 2 is open again');
});

test('a sweep finds what closing has missed, whatever is open stays, and the comments say so', async () => {
  const registry = await publishAll({
    main: 'main',
    'pr-2': 'own',
    'pr-3': 'open',
    'pr-26': 'missed, too',
    'pr-99': 'no such',
  });
  const pulls: Pull[] = [2, 3, 26].map((number) => ({ number, state: 'open' }));
  const repository = await openRepository({ pulls });
  for (const number of [2, 3, 26]) await commented(repository, registry, number);
  // Closed with a conflict: no run has begun.
  pulls[0] = { number: 2, state: 'closed' };
  pulls[2] = { number: 26, state: 'closed' };
  const { data } = await repository.run(registry.place, { run: 190, event: 'schedule', payload: {} });
  expect(data).toMatchObject({ state: 'swept', numbers: [2, 26] });
  expect(registry.tags().sort()).toEqual(['main', 'pr-3', 'pr-99']);
  const texts = repository.comments.map(({ body }) => body);
  expect(texts.map((body) => readMarker(body)?.state)).toEqual(['removed', 'there', 'removed']);
  expect(texts[0]).toContain('<code>pr&#45;2</code>');
  expect(texts[0]).not.toContain('pr&#45;26');
  const again = await repository.run(registry.place, { run: 191, event: 'schedule', payload: {} });
  expect(again.data).toMatchObject({ numbers: [], repositories: [{ removed: [] }] });
});

test('a registry without deletes fails the run, and the comment says what is still there', async () => {
  const registry = await publishAll({ main: 'main', 'pr-2': 'own' }, { deletes: 'off' });
  const pulls: Pull[] = [{ number: 2, state: 'open' }];
  const repository = await openRepository({ pulls });
  await commented(repository, registry);
  pulls[0] = { number: 2, state: 'closed' };
  const { failure } = await repository.run(registry.place, { run: 80, payload: pullPayload('closed', { number: 2 }) });
  expect(failure?.hint).toBeDefined();
  expect(registry.tags()).toContain('pr-2');
  expect(repository.comments[0]?.body).toContain('Still there:');
  // So the sweep tries again.
  expect(readMarker(repository.comments[0]?.body ?? '')?.state).toBe('there');
});

test("a fork's close asks and removes nothing", async () => {
  const repository = await openRepository({ pulls: [{ number: 7, state: 'closed' }], permissions: {} });
  const payload = pullPayload('closed');
  payload.pull_request.head.repo.full_name = 'stranger/app';
  const { failure } = await repository.run('127.0.0.1:1/org/{name}', { payload });
  expect(failure).toBeUndefined();
  expect(repository.github.requests).toEqual([]);
});

test('a comment in which somebody put other names leads nowhere else', async () => {
  const registry = await publishAll({ main: 'main', 'pr-2': 'own' });
  const pulls: Pull[] = [{ number: 2, state: 'closed' }];
  const { run, comments } = await openRepository({ pulls, routes: commentRoutes({ pulls, comments: [] }) });
  const images = ['../../other', 'app@sha256:0', 'UPPER', 'app:v1', ''];
  const key = 'k';
  const body = `${markerLine({ key, run: '1', attempt: 1, state: 'there', images })}\ntext`;
  comments.push({ id: 1, pull: 2, login: 'github-actions[bot]', body });
  await run(registry.place, { run: 80, payload: pullPayload('closed', { number: 2 }), given: { name: key } });
  const paths = registry.registry.requests.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
  expect(paths.filter((path) => !path.startsWith('/v2/org/app/'))).toEqual([]);
});
