import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RegistryEmulator, startEmulator } from '../../emulators/registry/emulator.ts';
import { cliData, runCli, startCli, testImage } from '../../support/cli.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let emulator: RegistryEmulator;

beforeAll(async () => {
  temp = await uniqueTempDir('refusals');
  emulator = await startEmulator();
});

afterAll(async () => {
  await emulator?.stop();
  await temp?.remove();
});

interface Refusal {
  readonly name: string;
  readonly image?: string;
  readonly settings?: Record<string, string>;
  readonly args?: readonly string[];
  readonly says: readonly (string | RegExp)[];
  readonly exit: 1 | 2;
}

describe('publish refuses, and writes nothing', () => {
  const refusals: Refusal[] = [
    { name: 'an unknown attribute, with the nearest names', image: 'smal', says: ['smal', 'small'], exit: 1 },
    { name: 'a package that is no image', image: 'package', says: [/derivation/, /mkImage/], exit: 1 },
    { name: 'an evaluation that throws', image: 'throws', says: ['no image today'], exit: 1 },
    {
      name: 'a build that fails',
      image: 'broken',
      args: ONLY_X86,
      says: ['broken.drv', 'the compiler is on fire'],
      exit: 1,
    },
    {
      name: 'a system that cannot be built here',
      image: 'foreign',
      args: ONLY_X86,
      says: ['riscv64-linux', /binfmt|remote builder|matrix/],
      exit: 1,
    },
    {
      name: 'a codec that there is none of',
      image: 'bzipped',
      says: ["compression: 'bzip2:9' is not a valid codec", 'gzip:1 to gzip:9'],
      exit: 1,
    },
    { name: 'a definition that does not fit the schema', image: 'wrong', says: ['maxLayers', '120'], exit: 1 },
    {
      name: 'two packages with the same file',
      image: 'collision',
      args: ONLY_X86,
      says: ['/bin/sh', 'busybox', 'collision'],
      exit: 1,
    },
    {
      name: 'a base without digest',
      image: 'onBase',
      settings: { base: 'docker.io/library/debian:12' },
      says: ['fromImage', /digest/],
      exit: 1,
    },
    {
      name: 'a base that is not there',
      image: 'onBase',
      settings: { base: `BASE@sha256:${'0'.repeat(64)}` },
      args: ONLY_X86,
      says: ['fromImage', 'no such image'],
      exit: 1,
    },
    {
      name: 'an unknown transport',
      args: ['--to', 'docker-daemon:app:1'],
      says: ['docker-daemon', 'oci:DIR[:TAG]'],
      exit: 2,
    },
    {
      name: 'a destination with a digest',
      args: ['--to', `ghcr.io/org/app@sha256:${'0'.repeat(64)}`],
      says: ['digest', 'tag'],
      exit: 1,
    },
    { name: 'an illegal tag', args: ['--to', 'HOST/lab/tag', '--tag=-x y'], says: ['-x y', /128|letters/], exit: 2 },
    {
      name: 'an unknown system',
      args: ['--system', 'x86-64'],
      says: ['x86-64', 'x86_64-linux, aarch64-linux'],
      exit: 2,
    },
    { name: 'an unknown flag', args: ['--tagg', 'x'], says: ['--tagg', '--tag'], exit: 2 },
    {
      name: 'two platforms for an archive of docker',
      args: ['--to', 'docker-archive:app.tar'],
      says: ['one platform', '--system'],
      exit: 1,
    },
  ];
  test.each(refusals)('$name', async ({ image = 'small', settings, args = [], says, exit }) => {
    const cwd = join(temp.path, crypto.randomUUID());
    await mkdir(cwd);
    const filled = Object.fromEntries(
      Object.entries(settings ?? {}).map(([key, value]) => [key, value.replace('BASE', `${emulator.host}/base`)]),
    );
    const words = args.map((word) => word.replace('HOST', emulator.host));
    const { exitCode, stdout, stderr } = await runCli(['publish', ...(await testImage(image, filled)), ...words], {
      cwd,
    });
    for (const part of says) expect(stderr).toMatch(part);
    expect(stderr).not.toContain('bug:');
    expect(stderr).toMatch(/^hint: /m);
    expect(exitCode).toBe(exit);
    expect(stdout).toBe('');
    expect(await readdir(cwd)).toEqual([]);
  });

  test('nothing at all to publish', async () => {
    const { exitCode, stderr } = await runCli(['publish', '--to', 'oci:x']);
    expect(stderr).toMatch(/missing image/);
    expect(stderr).toMatch(/\.#app|--from/);
    // As build has it: what was typed is not whole.
    expect(exitCode).toBe(2);
  });
});

describe('a registry that refuses', () => {
  interface Answer {
    readonly status: number;
    readonly body?: string;
    readonly headers?: Record<string, string>;
    readonly says: readonly RegExp[];
  }
  const answers: Answer[] = [
    {
      status: 403,
      body: '{"errors":[{"code":"DENIED","message":"read only"}]}',
      says: [/403/, /read only/, /no login for this registry was found/],
    },
    {
      status: 404,
      body: '{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}',
      says: [/404/, /NAME_UNKNOWN|no such repository/],
    },
    {
      status: 429,
      body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
      // Longer than anybody waits: what a shorter wait does is in unit/storage/registry/fetch/request-budget.
      headers: { 'retry-after': '400' },
      says: [/429/, /slow down/, /Log in, wait/],
    },
    { status: 503, headers: { 'retry-after': '400' }, says: [/503/] },
  ];
  test.each(answers)('with $status', async ({ status, body = '', headers = {}, says }) => {
    const registry = await startEmulator();
    try {
      for (const method of ['POST', 'PUT'])
        registry.inject({ kind: 'status', method, path: /./, status, body, headers, times: 1000 });
      const { exitCode, stderr } = await runCli([
        'publish',
        ...(await testImage('small')),
        ...ONLY_X86,
        '--to',
        `${registry.host}/lab/app:v1`,
      ]);
      for (const part of says) expect(stderr).toMatch(part);
      expect(exitCode).toBe(1);
    } finally {
      await registry.stop();
    }
  });

  test('a login that may only read, as the token says, before anything is built', async () => {
    const users = { bob: 'secret' };
    const registry = await startEmulator({ auth: { scheme: 'token', users, readers: ['bob'], tellsAccess: true } });
    try {
      const auth = Buffer.from('bob:secret').toString('base64');
      const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth } } }) };
      const words = ['publish', ...(await testImage('small')), ...ONLY_X86, '--to', `${registry.host}/lab/app:v1`];
      const { exitCode, stderr } = await runCli([...words, '--verbose'], { env });
      expect(stderr).toContain(`docker://${registry.host}/lab/app: the login may only read`);
      expect(stderr).not.toMatch(/Realising|Making the layers/);
      expect(registry.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
      expect(exitCode).toBe(1);
    } finally {
      await registry.stop();
    }
  });

  test('with 401 names the credential that was tried, and shows no secret', async () => {
    const registry = await startEmulator({ auth: { scheme: 'token', users: { bob: 'right' } } });
    try {
      const docker = join(temp.path, 'docker');
      await mkdir(docker, { recursive: true });
      const auth = Buffer.from('bob:wrong-secret').toString('base64');
      await writeFile(join(docker, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
      const publish = ['publish', ...(await testImage('small')), ...ONLY_X86, '--to', `${registry.host}/lab/app:v1`];
      const { exitCode, stdout, stderr } = await runCli([...publish, '--verbose'], { env: { DOCKER_CONFIG: docker } });
      expect(stderr).toMatch(/401/);
      // It is known at the first request, so nothing is built before.
      expect(stderr).not.toMatch(/Realising|Making the layers/);
      expect(stderr).toMatch(/config\.json/);
      expect(stderr).toMatch(/bob/);
      expect(`${stdout}${stderr}`).not.toMatch(new RegExp(`wrong-secret|${auth}`));
      expect(exitCode).toBe(1);
    } finally {
      await registry.stop();
    }
  });
});

// A file system of 2 MiB, which a root user can make; elsewhere there is no small disk to fill.
test.runIf(process.getuid?.() === 0)('a disk that fills up: says where, and leaves no half of a blob', async () => {
  const disk = join(temp.path, 'disk');
  await mkdir(disk);
  expect((await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])).exitCode).toBe(0);
  try {
    for (const to of [`oci:${disk}/layout:v1`, `oci-archive:${disk}/image.tar:v1`]) {
      const { exitCode, stderr } = await runCli(['publish', ...(await testImage('python')), ...ONLY_X86, '--to', to]);
      expect(stderr).toMatch(/no space|full/i);
      expect(stderr).toContain(disk);
      expect(exitCode).toBe(1);
      const files = (await readdir(disk, { recursive: true })).filter((name) => /partial|tmp|\.tar/.test(name));
      expect(files).toEqual([]);
    }
  } finally {
    await runProgram('umount', [disk]);
  }
});

test('Ctrl-C in the middle of a push: exit 130, no tag, nothing left behind', async () => {
  const registry = await startEmulator();
  try {
    // Every upload takes its time, so the signal comes while layers are under way.
    registry.inject({ kind: 'slow', method: 'PUT', path: /blobs\/uploads/, milliseconds: 60_000, times: 1000 });
    const folder = join(temp.path, 'tmp');
    await mkdir(folder);
    const args = ['publish', ...(await testImage('python')), ...ONLY_X86, '--to', `${registry.host}/lab/app:v1`];
    const run = startCli(args, { env: { TMPDIR: folder } });
    while (!registry.requests.some(({ method }) => method === 'PUT')) {
      expect(run.process.exitCode, run.stderr()).toBeNull();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const started = Date.now();
    run.process.kill('SIGINT');
    const { exitCode, stderr } = await run.ended;
    expect(exitCode, stderr).toBe(130);
    expect(Date.now() - started).toBeLessThan(20_000);
    expect(stderr).not.toContain('bug:');
    expect(registry.requests.some(({ method, path }) => method === 'PUT' && path.includes('/manifests/'))).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  } finally {
    await registry.stop();
  }
});

test('a publish that was cut short is completed by the next one, with what is there already', async () => {
  const registry = await startEmulator();
  try {
    registry.inject({ kind: 'status', method: 'PUT', path: /manifests/, status: 400, body: '{}', times: 1 });
    const args = ['publish', ...(await testImage('small')), ...ONLY_X86, '--to', `${registry.host}/lab/app:v1`];
    expect((await runCli(args)).exitCode).toBe(1);
    const { destinations } = await cliData<{ destinations: { bytesSent: number }[] }>(args);
    expect(destinations[0]?.bytesSent).toBe(0);
  } finally {
    await registry.stop();
  }
});
