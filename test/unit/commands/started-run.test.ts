import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startedRun } from '../../../src/commands/github.ts';
import type { Host } from '../../../src/host/host.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
beforeAll(async () => {
  temp = await uniqueTempDir('started-run');
});
afterAll(() => temp.remove());

const of = async (payload: object, env: Readonly<Record<string, string>>, kind: Host['kind'] = 'runner') => {
  const path = join(temp.path, `${crypto.randomUUID()}.json`);
  await writeFile(path, JSON.stringify(payload));
  const all: Readonly<Record<string, string>> = {
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'org/app',
    GITHUB_RUN_ID: '7',
    GITHUB_EVENT_PATH: path,
    ...env,
  };
  return await startedRun({ kind, env: (name: string) => all[name] } as Host);
};

const pushedAt = (pushed_at: number | string) => ({ repository: { full_name: 'org/app', pushed_at } });

test('a run that a push started began with it, in each attempt', async () => {
  const env = { GITHUB_EVENT_NAME: 'push', GITHUB_RUN_ATTEMPT: '2' };
  expect(await of(pushedAt(1_700_000_000), env)).toEqual({
    id: '7',
    source: 'https://github.com/org/app',
    began: 1_700_000_000_000,
  });
});

test('a first attempt for another reason began about now; when a later one did, nothing says', async () => {
  const before = Date.now();
  const env = { GITHUB_EVENT_NAME: 'schedule', GITHUB_RUN_ATTEMPT: '1' };
  expect((await of(pushedAt('2020-01-01T00:00:00Z'), env))?.began).toBeGreaterThanOrEqual(before);
  expect(await of(pushedAt('2020-01-01T00:00:00Z'), { ...env, GITHUB_RUN_ATTEMPT: '2' })).toMatchObject({
    id: '7',
    began: undefined,
  });
  expect(await of({}, {}, 'terminal' as Host['kind'])).toBeUndefined();
});
