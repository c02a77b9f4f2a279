import { describe, expect, test } from 'vitest';
import { readRunOrigin } from '../../../src/github/run-origin.ts';

const RUN: Readonly<Record<string, string>> = {
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'org/app',
  GITHUB_SHA: 'a'.repeat(40),
  GITHUB_REF: 'refs/heads/main',
  GITHUB_EVENT_PATH: '/event.json',
};

const read = (changes: Record<string, string | undefined> = {}, payload: object = {}, created?: string) => {
  const env = { ...RUN, ...changes };
  return readRunOrigin(
    { env: (name) => (env as Record<string, string | undefined>)[name], readFile: async () => JSON.stringify(payload) },
    created,
  );
};

const name = (field: string): string => `org.opencontainers.image.${field}`;

describe('the annotations of a run', () => {
  test('name the run, so that an older one can be told', async () => {
    expect(await read({ GITHUB_RUN_ID: '7' })).toMatchObject({ 'io.nix-images.image.run': '7' });
  });

  test('name repository and commit, and the time where the event says it', async () => {
    const common = { [name('source')]: 'https://github.com/org/app', [name('revision')]: 'a'.repeat(40) };
    expect(await read()).toEqual(common);
    expect(await read({}, { head_commit: null })).toEqual(common);
    const head_commit = { timestamp: '2026-01-31T12:00:00+02:00' };
    expect(await read({}, { head_commit })).toEqual({ ...common, [name('created')]: head_commit.timestamp });
    const created = '2026-02-01T00:00:00Z';
    expect(await read({}, { head_commit }, created)).toEqual({ ...common, [name('created')]: created });
  });

  test.each([
    ['refs/tags/v1.2.3', '1.2.3'],
    ['refs/tags/1.2.3-beta.1', '1.2.3-beta.1'],
    ['refs/tags/2026.1', '2026.1'],
    ['refs/tags/latest', undefined],
    ['refs/heads/v1.2.3', undefined],
  ])('%s is version %s', async (ref, version) => {
    expect((await read({ GITHUB_REF: ref }))[name('version')]).toBe(version);
  });

  test('leave out what the runner does not say', async () => {
    const nothing = Object.fromEntries(Object.keys(RUN).map((key) => [key, undefined]));
    expect(await read(nothing)).toEqual({});
  });

  test('a time in the payload that is none is an error', async () => {
    await expect(read({}, { head_commit: { timestamp: 'now' } })).rejects.toMatchObject({ code: 'input' });
  });
});
