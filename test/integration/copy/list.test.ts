import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { runCli } from '../../support/cli.ts';
import { ROOT } from '../../support/root.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { open } from '../storage/bench.ts';
import { putImage } from '../storage/kit.ts';
import { type Attested, putAttested } from './kit.ts';

let temp: TempDir;
let from: RegistryEmulator;
let to: RegistryEmulator;
let app: Attested;
let db: Attested;

beforeAll(async () => {
  temp = await uniqueTempDir('copy-list');
});
afterAll(() => temp.remove());
beforeEach(async () => {
  [from, to] = await Promise.all([startEmulator({ referrersPerPage: 5 }), startEmulator({ referrersPerPage: 5 })]);
  app = await putAttested(open(`${from.host}/org/app`), 'v1', 'app');
  db = await putAttested(open(`${from.host}/org/db`), 'v1', 'db');
  return () => Promise.all([from.stop(), to.stop()]);
});

const at = (name: string): string => join(temp.path, name);

const listed = async (lines: readonly string[], ...args: string[]) => {
  await writeFile(at('images.txt'), `# images\n${lines.join('\n')}\n`);
  return runCli(['copy', '--list', 'images.txt', ...args], { cwd: temp.path });
};

const copied = async (lines: readonly string[], ...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await listed(lines, ...args);
  expect(exitCode, stderr).toBe(0);
  return stdout;
};

const expectThere = (
  repository: string,
  { index, amd64, arm64, attestation, sbom, ofSbom, signature, tags }: Attested,
) => {
  expect(to.store.manifest(repository, 'v1')?.bytes).toEqual(index.bytes);
  for (const one of [amd64, arm64, attestation, sbom, ofSbom, signature])
    expect(to.store.manifest(repository, one.digest)?.bytes, one.digest).toEqual(one.bytes);
  for (const [tag, one] of Object.entries(tags)) expect(to.store.manifest(repository, tag)?.bytes).toEqual(one.bytes);
};

describe('images of a list', () => {
  it.each([
    'oci-archive',
    'oci',
  ])('go through one %s over an air gap and back, with all that is attached', async (kind) => {
    const place = `${kind}:gap-${kind}`;
    const out = await copied([
      `${from.host}/org/app:v1 ${place}:{name}:v1`,
      `${from.host}/org/db:v1 ${place}:{name}:v1`,
    ]);
    expect(out).toContain(`docker://${from.host}/org/app:v1`);
    expect(out).toContain('2 images of 2 copied');
    await copied([`${place}:org/app:v1 ${to.host}/mirror/app:v1`, `${place}:org/db:v1 ${to.host}/mirror/db:v1`]);
    expectThere('mirror/app', app);
    expectThere('mirror/db', db);
  });

  it('go to the destinations of their line, or those of all lines, with the name of each', async () => {
    const json = JSON.parse(
      await copied(
        [`${from.host}/org/app:v1  # to all`, `${from.host}/org/db:v1 ${to.host}/other oci:beside:db`],
        '--to',
        `${to.host}/mirror/{name}`,
        '--json',
      ),
    );
    expectThere('mirror/org/app', app);
    expectThere('other', db);
    expect(json.failed).toEqual([]);
    expect(json.images).toMatchObject([
      { line: 2, digest: app.index.digest, referrers: 5, destinations: [{ tags: ['v1'] }] },
      { line: 3, digest: db.index.digest, referrers: 5, destinations: [{ tags: ['db'] }, { tags: ['v1'] }] },
    ]);
  });

  it('go to destinations with tags of their own, and without those that may fail', async () => {
    // What comes after such an answer is tried again at once; nobody there would be asked for half a minute.
    const fault = {
      kind: 'status',
      status: 500,
      headers: { 'retry-after': '0' },
      path: /\/none\//,
      times: 1000,
    } as const;
    for (const method of ['HEAD', 'GET', 'POST', 'PUT']) to.inject({ ...fault, method });
    const { stdout } = await listed([`${from.host}/org/app:v1 ${to.host}/app tag=v1 ${to.host}/none tag=v1 may-fail`]);
    expectThere('app', app);
    expect(stdout).toContain(`not copied, which is allowed: docker://${to.host}/none`);
    expect(stdout).toContain('1 image of 1 copied');
  });

  it('are read from standard input', async () => {
    const line = `${from.host}/org/app:v1 ${to.host}/piped`;
    const program = `${process.execPath} ${join(ROOT, 'src/main.ts')}`;
    const { exitCode, stderr } = await runProgram('sh', ['-c', `echo '${line}' | ${program} copy --list -`]);
    expect(exitCode, stderr).toBe(0);
    expectThere('piped', app);
  });

  it('do not depend on each other: one that fails leaves the others, and is told at the end', async () => {
    const lines = [
      `${from.host}/org/app:v1 oci-archive:some.tar:app`,
      `${from.host}/org/none:v1 oci-archive:some.tar:none ${to.host}/none`,
      `${from.host}/org/db:v1 ${to.host}/db`,
    ];
    const { exitCode, stdout, stderr } = await listed(lines);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('2 images of 3 copied');
    expect(stderr).toMatch(/1 of 3 images are not copied:[\s\S]*line 3, docker:.*\/org\/none:v1: .*has no image v1/);
    expectThere('db', db);
    // The archive has the image that went well, and says what it has.
    await copied([`oci-archive:some.tar ${to.host}/app:v1`]);
    expectThere('app', app);
    const other = await listed([`oci-archive:some.tar:none ${to.host}/none:v1`]);
    expect(other.stderr).toMatch(/has no image none[\s\S]*It has app\./);
    const json = await listed(lines.slice(1, 2), '--json');
    expect(JSON.parse(json.stdout).failed).toMatchObject([{ line: 2, code: 'reference' }]);
  });

  it('leave no archive where none of its images was copied', async () => {
    const { exitCode } = await listed([`${from.host}/org/none:v1 oci-archive:empty.tar:none`]);
    expect(exitCode).toBe(1);
    await expect(access(at('empty.tar'))).rejects.toThrow('ENOENT');
  });
});

describe('a list that cannot be copied is refused before anything is asked', () => {
  it.each<[string, (host: string) => readonly string[], RegExp]>([
    [
      'lines that are broken',
      (host) => [`${host}/org/app:v1 oci:x`, 'dir:/x oci:y', `${host}/a`],
      /images\.txt:3: .*is not a valid destination: it holds files[\s\S]*images\.txt:4: the destination is missing/,
    ],
    [
      'two images under one name',
      (host) => [`${host}/org/app:v1 oci-archive:x.tar`, `${host}/org/db:v1 oci-archive:x.tar`],
      /images\.txt:3: oci-archive:.*x\.tar:v1 is where line 2 goes/,
    ],
    [
      'an archive that is read and written',
      (host) => [`${host}/org/app:v1 oci-archive:x.tar:v1`, 'oci-archive:x.tar:v1 oci:y'],
      /images\.txt:3: oci-archive:.*x\.tar:v1 is what line 2 writes/,
    ],
    ['no name to fill in', () => ['oci:x oci:{name}'], /images\.txt:2: the image has no name to put into oci:\{name\}/],
    ['nothing', () => [], /images\.txt lists no image/],
  ])('%s', async (_name, lines, says) => {
    const before = from.requests.length;
    const { exitCode, stderr } = await listed(lines(from.host));
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(says);
    expect(from.requests).toHaveLength(before);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a list that is not there', ['--list', 'none.txt'], /cannot read none\.txt: no such file/],
    ['a list and an image', ['oci:x', '--list', 'images.txt'], /both an image and a list are named/],
    ['neither', ['--to', 'oci:x'], /missing image[\s\S]*--list/],
  ])('%s', async (_name, args, says) => {
    const { exitCode, stderr } = await runCli(['copy', ...args], { cwd: temp.path });
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(says);
  });
});

it('an image whose tag means it everywhere is asked for nothing but what refers to it', async () => {
  const repository = open(`${from.host}/plain`);
  const { manifest } = await putImage(repository, 'amd64');
  await repository.tag('v1', manifest);
  await copied([`${from.host}/plain:v1 ${to.host}/plain`]);
  const before = to.requests.length;
  const again = JSON.parse(await copied([`${from.host}/plain:v1 ${to.host}/plain`], '--json'));
  expect(again.images[0].destinations).toMatchObject([{ bytesSent: 0 }]);
  expect(to.trace().slice(before)).toEqual(['GET /v2/plain/manifests/v1']);
});
