import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { backendIds } from '../../emulators/results/tokens.ts';
import { sha256 } from '../../support/bytes.ts';

/** How strict the emulator is, seen without any client. */
const JOB = { run: 7, job: 'build' };
const OTHER = { run: 7, job: 'publish' };
const PATH = '/twirp/github.actions.results.api.v1.ArtifactService/';
const CREATE = { name: 'a.tar', version: 7, mime_type: 'application/x-tar' };

let results: ResultsEmulator;

beforeEach(async () => {
  results = await startResults();
});

afterEach(() => results.stop());

const idsOf = (job: typeof JOB) => {
  const { run, job: id } = backendIds(job);
  return { workflow_run_backend_id: run, workflow_job_run_backend_id: id };
};

interface CallOptions {
  readonly token?: string;
  readonly method?: string;
  readonly type?: string;
}

const call = async (method: string, body: object | string, options: CallOptions = {}) => {
  const { token = results.tokenFor(JOB), method: verb = 'POST', type = 'application/json' } = options;
  const response = await fetch(`${results.url}${PATH}${method}`, {
    method: verb,
    headers: { authorization: `Bearer ${token}`, 'content-type': type },
    ...(verb === 'GET' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
};

const create = async (more: object = {}): Promise<string> => {
  const { status, body } = await call('CreateArtifact', { ...idsOf(JOB), ...CREATE, ...more });
  expect(status).toBe(200);
  return body.signed_upload_url ?? '';
};

const put = (url: string, query: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${url}${query}`, { method: 'PUT', body, headers }).then(async (response) => ({
    status: response.status,
    text: await response.text(),
  }));

const block = (url: string, id: string, body: string) =>
  put(url, `&comp=block&blockid=${encodeURIComponent(Buffer.from(id).toString('base64'))}`, body);

const blockList = (url: string, ...ids: string[]) => {
  const list = ids.map((id) => `<Latest>${Buffer.from(id).toString('base64')}</Latest>`).join('');
  return put(url, '&comp=blocklist', `<?xml version="1.0"?><BlockList>${list}</BlockList>`, {
    'x-ms-blob-content-type': 'application/x-tar',
  });
};

const finalize = (size: string, hash?: string, job = JOB) =>
  call(
    'FinalizeArtifact',
    { ...idsOf(job), name: 'a.tar', size, ...(hash ? { hash } : {}) },
    { token: results.tokenFor(job) },
  );

const uploaded = async (bytes: string): Promise<void> => {
  expect((await put(await create(), '', bytes, { 'x-ms-blob-type': 'BlockBlob' })).status).toBe(201);
  expect((await finalize(String(bytes.length), sha256(Buffer.from(bytes)))).status).toBe(200);
};

const downloadUrl = async (): Promise<string> =>
  (await call('GetSignedArtifactURL', { ...idsOf(JOB), name: 'a.tar' }, { token: results.tokenFor(OTHER) })).body
    .signed_url ?? '';

describe('a call is refused', () => {
  test.each<[string, string, object | string, CallOptions, number, string]>([
    ['without a good token', 'ListArtifacts', {}, { token: 'a.b.c' }, 401, 'unauthenticated'],
    ['with GET', 'ListArtifacts', {}, { method: 'GET' }, 404, 'bad_route'],
    ['as protobuf', 'ListArtifacts', {}, { type: 'application/protobuf' }, 404, 'bad_route'],
    ['for an unknown method', 'MigrateArtifact', {}, {}, 404, 'bad_route'],
    ['that is no JSON', 'ListArtifacts', '{', {}, 400, 'malformed'],
    ['without ids', 'ListArtifacts', {}, {}, 400, 'malformed'],
    ['with an unknown field', 'ListArtifacts', { ...idsOf(JOB), page: 1 }, {}, 400, 'malformed'],
    ['with an int64 that is a number', 'ListArtifacts', { ...idsOf(JOB), id_filter: 1 }, {}, 400, 'malformed'],
    ['with camelCase', 'CreateArtifact', { ...idsOf(JOB), ...CREATE, mimeType: 'x' }, {}, 400, 'malformed'],
    ['for another run', 'ListArtifacts', idsOf({ run: 8, job: 'build' }), {}, 403, 'permission_denied'],
    ['for another job', 'ListArtifacts', idsOf(OTHER), {}, 403, 'permission_denied'],
    ['for an illegal name', 'CreateArtifact', { ...idsOf(JOB), ...CREATE, name: 'a/b' }, {}, 400, 'malformed'],
    ['for an old format', 'CreateArtifact', { ...idsOf(JOB), ...CREATE, version: 3 }, {}, 400, 'invalid_argument'],
    [
      'for a time that has passed',
      'CreateArtifact',
      { ...idsOf(JOB), ...CREATE, expires_at: '2020-01-01T00:00:00Z' },
      {},
      400,
      'invalid_argument',
    ],
    ['for what is not there', 'DeleteArtifact', { ...idsOf(JOB), name: 'x' }, {}, 404, 'not_found'],
  ])('%s', async (_what, method, body, options, status, code) => {
    expect(await call(method, body, options)).toMatchObject({ status, body: { code, msg: expect.any(String) } });
  });
});

describe('a name', () => {
  test('is taken for the whole run from the first call on, and listed only when it is final', async () => {
    await create();
    const again = { ...JOB, attempt: 2 };
    const token = results.tokenFor(again);
    const second = () => call('CreateArtifact', { ...idsOf(again), ...CREATE }, { token });
    expect(await second()).toMatchObject({
      status: 409,
      body: { code: 'already_exists', msg: 'an artifact with this name already exists on the workflow run' },
    });
    expect((await call('ListArtifacts', idsOf(JOB))).body).toEqual({ artifacts: [] });
  });

  test('is free again when the artifact is deleted', async () => {
    await uploaded('content');
    expect((await call('DeleteArtifact', { ...idsOf(JOB), name: 'a.tar' })).body).toMatchObject({ ok: true });
    await create();
  });
});

describe('an upload', () => {
  test('is put together in the order of the list, not of the blocks', async () => {
    const url = await create();
    for (const [id, text] of [
      ['2', 'two'],
      ['3', 'three'],
      ['1', 'one'],
    ] as const)
      await block(url, id, text);
    expect((await blockList(url, '1', '2', '3')).status).toBe(201);
    expect((await finalize('11', sha256(Buffer.from('onetwothree')))).body).toMatchObject({ ok: true });
    expect(await (await fetch(await downloadUrl())).text()).toBe('onetwothree');
  });

  test('is refused when its blocks are not right', async () => {
    const url = await create();
    expect(await put(url, '&comp=block&blockid=%21', 'x')).toMatchObject({ status: 400 });
    await block(url, 'aa', 'x');
    expect((await block(url, 'bbbb', 'x')).text).toContain('InvalidBlobOrBlock');
    expect((await blockList(url, 'aa', 'bb')).text).toContain('InvalidBlockList');
    expect((await put(url, '', 'x')).text).toContain('MissingRequiredHeader');
  });

  test('is final only with its true size and hash, by its own job, once', async () => {
    const url = await create();
    expect((await finalize('3')).status).toBe(412);
    await put(url, '', 'abc', { 'x-ms-blob-type': 'BlockBlob' });
    expect((await finalize('4')).status).toBe(400);
    expect((await finalize('3', sha256(Buffer.from('abd')))).status).toBe(400);
    expect((await finalize('3', undefined, OTHER)).status).toBe(404);
    expect((await finalize('3')).status).toBe(200);
    expect((await finalize('3')).status).toBe(412);
  });
});

describe('a URL', () => {
  test('is good for its blob, its purpose and its time only', async () => {
    await uploaded('0123456789');
    const url = await downloadUrl();
    const changed = url.replace(/se=\d{4}/, 'se=2999');
    expect((await fetch(changed)).status).toBe(403);
    expect(await put(url, '', 'x', { 'x-ms-blob-type': 'BlockBlob' })).toMatchObject({ status: 403 });
    expect((await fetch(url.replace(/sig=.*/, 'sig=x'))).status).toBe(403);
    results.faults.add({ kind: 'expired', route: 'GetSignedArtifactURL' });
    const refused = await fetch(await downloadUrl());
    expect(refused.headers.get('x-ms-error-code')).toBe('AuthenticationFailed');
    expect(await refused.text()).toContain('time frame');
  });

  test('gives the type and the name that it was uploaded with, and ranges', async () => {
    await uploaded('0123456789');
    const url = await downloadUrl();
    const whole = await fetch(url);
    // Put Blob without x-ms-blob-content-type.
    expect(whole.headers.get('content-type')).toBe('application/octet-stream');
    expect(whole.headers.get('content-disposition')).toContain('filename="a.tar"');
    const part = await fetch(url, { headers: { range: 'bytes=3-5' } });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 3-5/10', '345']);
    expect((await fetch(url, { headers: { range: 'bytes=10-' } })).status).toBe(416);
  });
});

test('it is a program too, which says at its end what it saw', async () => {
  const serve = join(import.meta.dirname, '../../emulators/results/serve.ts');
  const fault = JSON.stringify({ kind: 'status', route: 'ListArtifacts', status: 503 });
  const child = spawn(process.execPath, [serve, '--run', '7', '--job', 'build', '--fault', fault], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  try {
    const { url, token, environment } = JSON.parse((await lines.next()).value ?? '');
    expect(environment).toMatchObject({
      ACTIONS_RESULTS_URL: `${url}/`,
      ACTIONS_RUNTIME_TOKEN: token,
      GITHUB_RUN_ID: '7',
    });
    const list = () =>
      fetch(`${url}${PATH}ListArtifacts`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(idsOf(JOB)),
      });
    expect([(await list()).status, (await list()).status]).toEqual([503, 200]);
    child.kill('SIGTERM');
    expect(JSON.parse((await lines.next()).value ?? '').requests).toMatchObject([
      { route: 'ListArtifacts', status: 503, fault: 'status' },
      { route: 'ListArtifacts', status: 200 },
    ]);
    await once(child, 'close');
    expect(child.exitCode).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
});
