// Two jobs, each with a Nix database of its own as on two machines, save by the commands to real repositories. Real Nix builds and fetches,
// in processes, which takes some seconds.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli, startCli } from '../../support/cli.ts';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import { type RunningRegistry, startRegistry } from '../../support/registry.ts';
import { programPath } from '../../support/tools.ts';

const run = promisify(execFile);

/** Paths that do not pack: a large one that is made at once, and one of half the size that takes a second. Whoever builds them gets the same. */
const EXPRESSION = `{ salt, busybox, noise }:
let
  data = builtins.path { path = noise; name = "noise-\${salt}"; };
  bb = builtins.path { path = busybox; name = "busybox-\${salt}"; };
  make = name: seconds: bytes: derivation {
    inherit name salt;
    system = builtins.currentSystem;
    builder = "\${bb}/busybox";
    args = [ "sh" "-euc" "\${bb}/busybox sleep \${seconds}; \${bb}/busybox head -c \${bytes} \${data} > $out" ];
  };
in { quick = make "quick" "0" "800000"; slow = make "slow" "1" "400000"; }
`;

type Job = 'quick' | 'slow';
const JOBS: readonly Job[] = ['quick', 'slow'];

const SALT = randomBytes(8).toString('hex');

let folder = '';
let registry: RunningRegistry;
let rigid: RunningRegistry;

/** The environment of a machine with a store database of its own. */
const machine = (name: string, nixConfig = TEST_NIX_CONFIG): Record<string, string> => ({
  NIX_STATE_DIR: join(folder, name),
  NIX_CONFIG: nixConfig,
});

/** Realises what a job builds on a machine, and gives how many it had to build. */
async function realise(job: Job, more: Record<string, string>): Promise<number> {
  const args = ['--no-out-link', join(folder, 'jobs.nix'), '-A', job, '--argstr', 'salt', SALT];
  const env = { ...process.env, ...more };
  const sources = ['--arg', 'busybox', join(folder, 'bb'), '--arg', 'noise', join(folder, 'noise')];
  const { stderr } = await run('nix-build', [...args, ...sources], { env });
  return [...stderr.matchAll(/^building '/gm)].length;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-repository-'));
  await mkdir(join(folder, 'bb'));
  await copyFile(programPath('busybox'), join(folder, 'bb/busybox'));
  await writeFile(join(folder, 'noise'), randomBytes(800_000));
  await writeFile(join(folder, 'jobs.nix'), EXPRESSION);
  const made = JOBS.map((job) => realise(job, machine(job)));
  registry = await startRegistry({ countRequests: true });
  rigid = await startRegistry({ deletes: false });
  expect(await Promise.all(made)).toEqual([1, 1]);
});
afterAll(async () => {
  await registry.stop();
  await rigid.stop();
  await rm(folder, { recursive: true, force: true });
});

/** What a command does on a machine. */
async function command(name: string, args: readonly string[]) {
  const { exitCode, stdout, stderr } = await runCli([...args, '--json'], { cwd: folder, env: machine(name) });
  expect(exitCode, stderr).toBe(0);
  return { data: JSON.parse(stdout), log: stderr };
}

const save = (job: Job, cache: string) => command(job, ['cache-save', cache, '--name', job]);
/** It is told nothing of the jobs. */
const merge = (cache: string, ...more: string[]) => command('merge', ['cache-merge', cache, ...more]);

/** Whether a new machine has to build what a job builds, with the cache served to it. */
async function built(cache: string): Promise<Record<Job, number>> {
  const state = await mkdtemp(join(folder, 'state-'));
  const serving = startCli(['cache', cache, '--state', state], { cwd: folder });
  const settings = join(state, 'nix.conf');
  try {
    for (let tries = 0; !existsSync(settings); tries++) {
      if (tries > 1000) throw new Error(`it never came: ${serving.stderr()}`);
      await setTimeout(20);
    }
    const nixConfig = `${TEST_NIX_CONFIG}!include ${settings}\n`;
    const name = `new-${state.slice(-6)}`;
    // Its logs are apart too: by those of the jobs the commands know what a build took.
    const env = { ...machine(name, nixConfig), NIX_LOG_DIR: join(folder, name, 'log') };
    return { quick: await realise('quick', env), slow: await realise('slow', env) };
  } finally {
    serving.process.kill('SIGTERM');
    await serving.ended;
  }
}

/** What is kept in a place, by kind, and what was written to it so far. */
interface Place {
  readonly name: string;
  cache(): string;
  kinds(): Promise<string[]>;
  writes(): Promise<unknown>;
}

/** The kinds of the entries under tags; those that name the newest ones have none. */
const kindsOf = (tags: readonly string[]): string[] =>
  tags.flatMap((tag) => /^nix-images-v1-(pack|index|part)-/.exec(tag)?.[1] ?? []).sort();

const PLACES: readonly Place[] = [
  {
    name: 'a registry',
    cache: () => `docker://${registry.host}/org/cache`,
    async kinds() {
      const answer = await fetch(`http://${registry.host}/v2/org/cache/tags/list`);
      return kindsOf(((await answer.json()) as { tags: string[] | null }).tags ?? []);
    },
    writes: async () => registry.requests().filter((line) => /"(?:PUT|POST|PATCH|DELETE) /.test(line)).length,
  },
  {
    name: 'a layout',
    cache: () => 'oci:layout',
    async kinds() {
      const { manifests } = JSON.parse(await readFile(join(folder, 'layout/index.json'), 'utf8')) as {
        manifests: { annotations: Record<string, string> }[];
      };
      return kindsOf(manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name'] ?? ''));
    },
    writes: async () => ({
      blobs: (await readdir(join(folder, 'layout/blobs/sha256'))).sort(),
      index: await readFile(join(folder, 'layout/index.json'), 'utf8'),
    }),
  },
];

describe.each(PLACES)('$name', (place) => {
  test('what two jobs save is merged, served, not sent again, and bounded by value', async () => {
    const cache = place.cache();
    for (const job of JOBS) expect((await save(job, cache)).data).toMatchObject({ paths: 1, packs: 1, lost: 0 });
    expect((await merge(cache)).data).toMatchObject({ merged: true, kept: 2, deleted: 2, removed: [] });
    expect(await place.kinds()).toEqual(['index', 'pack', 'pack']);

    const before = await place.writes();
    for (const job of JOBS) expect((await save(job, cache)).data).toMatchObject({ paths: 0, packs: 0, lost: 0 });
    expect((await merge(cache)).data).toMatchObject({ merged: false, kept: 2, deleted: 0 });
    expect(await place.writes()).toEqual(before);

    const bounded = await merge(cache, '--limit', '1');
    expect(bounded.data).toMatchObject({ merged: true, kept: 1, deleted: 1 });
    expect(bounded.data.before).toBeGreaterThan(1_200_000);
    expect(bounded.data.after).toBeLessThan(1_000_000);
    expect((await merge(cache, '--dry-run')).data.before).toBeLessThan(1_000_000);
    expect(await built(cache)).toEqual({ quick: 1, slow: 0 });
  });
});

test('a registry without deletes says in one line that the limit is not carried out', async () => {
  const cache = `docker://${rigid.host}/org/cache`;
  for (const job of JOBS) await save(job, cache);
  const { data, log } = await merge(cache, '--limit', '1');
  expect(data).toMatchObject({ merged: true, deleted: 0 });
  const said = log.split('\n').filter((line) => /delete/.test(line));
  expect(said).toEqual([
    expect.stringMatching(
      /the cache cannot make room: docker:.*\/org\/cache does not let this job delete: it deletes nothing/,
    ),
  ]);
  // What is merged is not merged again, though its parts stay.
  expect((await merge(cache, '--limit', '1')).data).toMatchObject({ merged: false, deleted: 0 });
  expect((await merge(cache)).data).toMatchObject({ merged: false, deleted: 0 });
  const answer = await fetch(`http://${rigid.host}/v2/org/cache/tags/list`);
  expect(kindsOf(((await answer.json()) as { tags: string[] }).tags)).toEqual([
    'index',
    'pack',
    'pack',
    'part',
    'part',
  ]);
});
