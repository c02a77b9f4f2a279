// A disk of a real kernel is built once, and then again for each step at which it is stopped: a second each.
import { chmod, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cliData, runCli } from '../../support/cli.ts';
import { openFiles } from '../../support/open-files.ts';
import { standInDisk } from '../../support/stand-in-disk.ts';
import { type Loopback, listenOnLoopback, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let registry: Loopback;
let build: readonly string[];
/** Bytes of chunks that the registry has got. */
let received = 0;
const at = (...parts: string[]): string => join(temp.path, ...parts);

const X86 = ['--system', 'x86_64-linux'];
const PUBLISH = ['publish', '--from', 'handover', ...X86];

/** A registry that takes the first bytes of every upload, and never says a word about them. */
const silentRegistry = (): Promise<Loopback> =>
  listenOnLoopback(
    createServer((request, response) => {
      const { method, url = '' } = request;
      if (url === '/v2/') response.end();
      else if (method === 'POST') response.writeHead(202, { location: '/v2/upload' }).end();
      else if (method === 'GET' || method === 'HEAD') response.writeHead(404).end();
      else
        request.once('data', (bytes: Buffer) => {
          received += bytes.length;
        });
    }),
  );

beforeAll(async () => {
  temp = await uniqueTempDir('cancelled');
  const [{ nix }, started] = await Promise.all([standInDisk(), silentRegistry()]);
  registry = started;
  const args = nix.args.flatMap((argument, index) =>
    nix.args[index - (index % 3) + 2] === '' ? [] : [`--nix-arg=${argument}`],
  );
  build = ['build', '--file', nix.file, '--attr', 'disk', ...args, ...X86, '--test-with', 'none'];
  await cliData([...build, '--out', 'handover'], { cwd: temp.path });
  await cliData([...PUBLISH, '--to', 'oci:layout:1'], { cwd: temp.path });
  await cliData(['pull', 'oci:layout:1', 'whole.raw'], { cwd: temp.path });
  // QEMU as far as it goes before a guest says anything.
  await mkdir(at('bin'));
  const qemu = `#!/bin/sh\n[ "$1" != --version ] || { echo 'QEMU emulator version 9.2.1'; exit; }\n: >'${at('started')}'\nexec sleep 600\n`;
  await writeFile(at('bin/qemu-system-x86_64'), qemu);
  await chmod(at('bin/qemu-system-x86_64'), 0o755);
});
afterAll(async () => {
  await registry.close();
  await temp.remove();
});

/** Files below a folder, with their bytes; a hidden name counts too. */
async function filesIn(folder: string): Promise<Map<string, number>> {
  const found = await readdir(at(folder), { recursive: true, withFileTypes: true }).catch(() => []);
  const files = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return new Map(files.map((file, index) => [file, sizes[index] ?? 0]));
}

/** Whether a file in the folder has bytes by now. */
const isWriting = async (folder: string, name = /./): Promise<boolean> =>
  [...(await filesIn(folder))].some(([file, size]) => size > 0 && name.test(file));

/** Processes that name the test's folder: where they work, what they were told, what they write. */
async function processes(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== `${process.pid}`);
  const said = await Promise.all(
    ids.map(async (id) => {
      const folder = await readlink(`/proc/${id}/cwd`).catch(() => '');
      const words = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
      return `${folder} ${words.replaceAll('\0', ' ')}`;
    }),
  );
  return said.filter((line) => line.includes(temp.path));
}

const threads = async (): Promise<number> => (await readdir('/proc/self/task')).length;

interface Step {
  readonly words: () => readonly string[];
  /** What is heard on standard error when it has begun, or is so then; `before` is how many threads there were. */
  readonly begun: RegExp | ((before: number) => Promise<boolean>);
  /** Milliseconds from there on. Default: none. */
  readonly later?: number;
  /** What it would have made. */
  readonly made: string;
}

/** Nothing else of these commands has threads of its own. */
const isHashing = async (before: number): Promise<boolean> => (await threads()) > before;

const handedOver = (): readonly string[] => [...build, '--out', 'out'];

test.each<readonly [string, Step]>([
  ['the store is written', { words: handedOver, begun: /making a disk of/, later: 10, made: 'out' }],
  ['tools make its partitions', { words: handedOver, begun: async () => (await processes()).length > 0, made: 'out' }],
  ['its blocks are hashed', { words: handedOver, begun: isHashing, made: 'out' }],
  ['chunks are compressed into a handover', { words: handedOver, begun: () => isWriting('out'), made: 'out' }],
  [
    'chunks are sent',
    {
      words: () => [...handedOver(), '--to', `127.0.0.1:${registry.port}/vm`],
      begun: async () => received > 0,
      made: 'out',
    },
  ],
  [
    'it is pulled',
    { words: () => ['pull', 'oci:layout:1', 'out/vm.raw'], begun: () => isWriting('out', /draft$/), made: 'out' },
  ],
  [
    'its digests are compared after a pull',
    { words: () => ['pull', 'oci:layout:1', 'out/vm.raw'], begun: isHashing, made: 'out' },
  ],
  [
    'it is written to a folder',
    { words: () => [...PUBLISH, '--to', 'dir:out'], begun: () => isWriting('out'), made: 'out' },
  ],
  [
    'its image for KubeVirt is made',
    {
      words: () => [...PUBLISH, '--to', 'oci:out:1 as=container-disk'],
      begun: () => isWriting('out', /\.nix-images|partial/),
      made: 'out',
    },
  ],
  [
    'it is booted',
    {
      words: () => ['boot', 'whole.raw', '--system', 'x86_64-linux', '--boot-with', 'tcg'],
      begun: () =>
        stat(at('started')).then(
          () => true,
          () => false,
        ),
      made: 'out',
    },
  ],
])('where a run is stopped while %s, no process, thread, open file or half of anything is left', async (_name, step) => {
  await rm(at('out'), { recursive: true, force: true });
  await mkdir(at('tmp'), { recursive: true });
  if (step.words()[0] === 'pull') await mkdir(at('out'));
  vi.stubEnv('TMPDIR', at('tmp'));
  const before = await threads();
  const run = new AbortController();
  const begun = Promise.withResolvers<void>();
  const running = runCli(step.words(), {
    ...{ cwd: temp.path, signal: run.signal },
    env: { PATH: `${at('bin')}:${process.env.PATH}` },
    heard: (text) => {
      if (step.begun instanceof RegExp && step.begun.test(text)) begun.resolve();
    },
  });
  const { begun: isSo } = step;
  const watching = isSo instanceof RegExp ? undefined : pollUntil(() => isSo(before), run.signal).then(begun.resolve);
  const first = await Promise.race([begun.promise, running]);
  expect(first, 'it has ended before it was stopped').toBeUndefined();
  if (step.later !== undefined) await wait(step.later);
  run.abort();
  const { exitCode, stdout, stderr } = await running;
  await watching;
  vi.unstubAllEnvs();
  expect([exitCode, stdout], stderr).toEqual([130, '']);
  expect(await processes()).toEqual([]);
  expect(await openFiles(temp.path)).toEqual([]);
  expect(await readdir(at('tmp'))).toEqual([]);
  await vi.waitFor(async () => expect(await threads()).toBeLessThanOrEqual(before));
  // A layout keeps whole blobs, for the next run; its index has nothing.
  const left = [...(await filesIn(step.made)).keys()].map((file) => file.replace(at(step.made), ''));
  expect(left.filter((file) => !/^\/(?:blobs\/sha256\/[0-9a-f]{64}|oci-layout|index\.json)$/.test(file))).toEqual([]);
  const index = await readFile(at(step.made, 'index.json'), 'utf8').catch(() => '{"manifests":[]}');
  expect(JSON.parse(index)).toMatchObject({ manifests: [] });
});

async function pollUntil(isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await isSo())) await wait(2);
}
