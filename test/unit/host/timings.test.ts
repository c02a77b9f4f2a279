import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Host } from '../../../src/host/host.ts';
import { startTimings } from '../../../src/host/timings.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;

beforeAll(async () => {
  temp = await uniqueTempDir('timings');
});

afterAll(() => temp?.remove());

/** A host whose programs end with 3 and whose requests are answered 201. */
const host = (): Pick<Host, 'log' | 'exec' | 'fetch' | 'attach'> => ({
  log: memoryLog(),
  exec: async () => ({ exitCode: 3, stdout: '', stderr: '' }),
  fetch: async () => new Response(null, { status: 201 }),
});

test('groups, programs and requests are in the file, without queries and secrets', async () => {
  const path = join(temp.path, 'trace.json');
  const timings = await startTimings(path, host(), () => 0);
  const { log, exec, fetch } = timings.host;
  await log.group('Realising app', async () => {
    await exec('/bin/nix', ['--option', 'cores', '2', 'build', 'x'.repeat(1000)]);
    await exec('nix-store', ['--realise', '/nix/store/a']);
    await fetch('https://registry.example/v2/hunter2/blobs?signature=1', { method: 'PUT' });
  });
  await timings.write('nix-images build', { command: 'build' }, (text) => text.replaceAll('hunter2', '***'));
  const text = await readFile(path, 'utf8');
  expect(text).not.toMatch(/signature|hunter2/);
  expect(text.length).toBeLessThan(3000);
  const { traceEvents } = JSON.parse(text);
  const spans = traceEvents.filter(({ ph, cat }: { ph: string; cat: string }) => ph === 'X' && cat !== 'command');
  expect(spans.map(({ name, args }: { name: string; args: object }) => [name, args])).toEqual([
    ['nix build', { arguments: expect.stringMatching(/^--option cores 2 build x+…$/), exitCode: 3 }],
    ['nix-store --realise', { arguments: '--realise /nix/store/a', exitCode: 3 }],
    ['PUT registry.example', { path: '/v2/***/blobs', status: 201 }],
    ['Realising app', {}],
  ]);
});

test('a program or request that fails is in it too, and fails as it did', async () => {
  const path = join(temp.path, 'failed.json');
  const failing: ReturnType<typeof host> = {
    ...host(),
    exec: () => Promise.reject(new Error('no program')),
    fetch: () => Promise.reject(new Error('no route')),
  };
  const timings = await startTimings(path, failing, () => 0);
  await expect(timings.host.exec('nix', ['eval'])).rejects.toThrow('no program');
  await expect(timings.host.fetch('http://registry.example/')).rejects.toThrow('no route');
  await timings.write('nix-images build', {}, (text) => text);
  expect(await readFile(path, 'utf8')).toMatch(/"nix eval".*"GET registry.example".*"status":"none"/);
});

test('a container on the terminal is in it, without what it is started with', async () => {
  const path = join(temp.path, 'attached.json');
  const terminal: ReturnType<typeof host> = { ...host(), attach: async () => 7 };
  const timings = await startTimings(path, terminal, () => 0);
  expect(await timings.host.attach?.('/bin/podman', ['run', '--env=TOKEN=hunter2', 'app'])).toBe(7);
  await timings.write('nix-images build', {}, (text) => text);
  const text = await readFile(path, 'utf8');
  expect(text).toContain('"name":"podman run"');
  expect(text).toContain('"args":{"exitCode":7}');
  expect(text).not.toContain('hunter2');
});

test('a file that cannot be written is told before the work', async () => {
  const path = join(temp.path, 'missing', 'trace.json');
  await expect(startTimings(path, host(), () => 0)).rejects.toMatchObject({
    code: 'file',
    message: `cannot write ${path}: no such file or folder`,
  });
  await expect(stat(join(temp.path, 'missing'))).rejects.toThrow();
});
