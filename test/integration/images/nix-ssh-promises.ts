import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nixVersionsUnderTest } from '../../support/nix.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ARM, ONLY_X86 } from '../../support/systems.ts';
import { memoryTempDir, type ProgramResult, runProgram, type TempDir } from '../../support/tools.ts';
import { isEmulationTried, NIX_SSH_TESTS, passedTests, podmanSays, publishNix, pull, type Tried } from './nix-kit.ts';
import { type Builder, type BuilderOptions, type ClientKey, makeKey, startBuilder } from './nix-ssh-kit.ts';

// The remote builder, made by Nix of Debian's packages, and this machine's versions of Nix as its clients.

let temp: TempDir;
let podman: Podman;
let published: Tried;
let key: ClientKey;
let layout: string;
let image: string;
/** A folder as the store's volume, filled. */
let volume: string;
/** A folder that all builders share, for builds that wait for each other. */
let meeting: string;
let job: string;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), memoryTempDir('nix-ssh')]);
  layout = `oci:${temp.path}/builder`;
  published = await publishNix(podman, 'nixSsh', `${layout}:v1`, ...ONLY_X86);
  [image, key] = await Promise.all([pull(podman, temp.path, 'builder:v1'), makeKey(temp.path)]);
  volume = await folder('volume');
  meeting = await folder('meeting');
  await chmod(meeting, 0o777);
  job = join(temp.path, 'job.nix');
  await writeFile(job, JOB);
  await podmanSays(podman, ['run', '--rm', '--volume', `${volume}:/mnt/nix`, image, 'fill']);
  // A machine's first run makes the packages.
}, 900_000);
afterAll(async () => {
  await podman?.remove();
  await temp?.remove();
});

/** Says where it was built, once as many of its kind run as `together`. */
const JOB = `{ name, system ? "x86_64-linux", together ? "1", group ? "none" }: derivation {
  inherit name system together group;
  builder = "/bin/bash";
  PATH = "/bin";
  args = [ "-euc" ''
    echo "$group" >"/meeting/$name"
    for second in $(seq 100); do
      [ "$(grep -lx "$group" /meeting/* | wc -l)" -lt "$together" ] || break
      sleep 0.2
    done
    [ "$(grep -lx "$group" /meeting/* | wc -l)" -ge "$together" ]
    echo "$(id -un) $(uname -m)" >$out
  '' ];
}`;

const folder = async (name: string): Promise<string> => {
  const path = join(temp.path, name);
  await mkdir(path, { recursive: true });
  return path;
};

const start = (more: Partial<BuilderOptions> = {}): Promise<Builder> =>
  startBuilder({
    ...{ podman, image, key, folder: temp.path },
    ...more,
    options: ['--volume', `${meeting}:/meeting`, ...(more.options ?? ['--volume', `${volume}:/nix`])],
  });

const jobArguments = (name: string, more: Readonly<Record<string, string>> = {}): string[] => [
  ...['--file', job, '--json', '--no-link'],
  ...Object.entries({ name, ...more }).flatMap((pair) => ['--argstr', ...pair]),
];

/** Only the builder may build. */
const AWAY = ['build', '--builders', 'ssh-ng://root@127.0.0.1 x86_64-linux,aarch64-linux', '--max-jobs', '0'];
const IN_ITS_STORE = ['build', '--store', 'ssh-ng://root@127.0.0.1', '--eval-store', 'auto'];

const outputOf = ({ exitCode, stdout, stderr }: ProgramResult): string => {
  expect(exitCode, stderr).toBe(0);
  return JSON.parse(stdout)[0].outputs.out;
};

const unique = (name: string): string => `${name}-${randomUUID()}`;

// On AArch64: emulated.full.test.ts.
test('its own tests ran before it was published', () => {
  expect(passedTests(published)).toEqual([['linux/amd64', NIX_SSH_TESTS]]);
});

describe('clients', () => {
  let builder: Builder;

  beforeAll(async () => {
    builder = await start();
  });
  afterAll(() => builder?.container.remove());

  test.each(nixVersionsUnderTest())('$label sends a derivation and gets its result back', async ({ env }) => {
    const out = outputOf(await builder.client('nix', [...AWAY, ...jobArguments(unique('sent'))], env));
    expect(await readFile(out, 'utf8')).toBe('nixbld1 x86_64\n');
  });

  test.each(nixVersionsUnderTest())('$label builds in its store and leaves the result there', async ({ env }) => {
    const out = outputOf(await builder.client('nix', [...IN_ITS_STORE, ...jobArguments(unique('stays'))], env));
    expect(await builder.container.script(`cat ${out}`)).toBe('nixbld1 x86_64');
  });

  test('get the reason of a build that fails', async () => {
    const failing = jobArguments(unique('alone'), { group: unique('nobody'), together: 'many' });
    const { exitCode, stderr } = await builder.client('nix', [...AWAY, '-L', ...failing]);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('many: integer expression expected');
  });

  test.each([
    ['a shell', []],
    ['another program', ['id']],
    ['a program after an allowed one', ['nix-daemon --stdio; id']],
    ['a substitution', ['nix-daemon --stdio $(id)']],
    ['another store', ['nix-store --serve --write --store /tmp']],
  ])('get a refusal for %s', async (_, command) => {
    const { exitCode, stdout, stderr } = await runProgram('ssh', [...builder.ssh, 'root@127.0.0.1', ...command]);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toContain('this host talks to Nix alone');
  });

  test('need a key that it knows', async () => {
    const other = await makeKey(await folder('stranger'));
    const options = builder.ssh.map((option) => (option === key.file ? other.file : option));
    const { exitCode, stderr } = await runProgram('ssh', [...options, 'root@127.0.0.1', 'nix-daemon', '--stdio']);
    expect(stderr).toContain('Permission denied (publickey)');
    expect(exitCode).toBe(255);
  });
});

test('four builds at once run in two containers on one store', async () => {
  const builders = await Promise.all([start(), start()]);
  const group = unique('four');
  const built = await Promise.all(
    [0, 1, 2, 3].map((at) =>
      builders[at % 2]?.client('nix', [...IN_ITS_STORE, ...jobArguments(unique('at'), { group, together: '4' })]),
    ),
  );
  const outs = built.map((result) => outputOf(result as ProgramResult));
  // Each finds what the other one built.
  for (const { container } of builders) {
    expect((await container.script(`cat ${outs.join(' ')}`)).split('\n')).toHaveLength(4);
    await container.script(`nix store verify --all --no-trust`);
    await container.remove();
  }
});

test('a container in its place is the same host, with a warm store, after garbage was collected too', async () => {
  const first = await start();
  const name = unique('warm');
  const out = outputOf(await first.client('nix', [...IN_ITS_STORE, ...jobArguments(name)]));
  await first.container.script(
    `nix-store --realise ${out} --add-root /nix/var/nix/gcroots/kept && nix-collect-garbage`,
  );
  await first.container.remove();
  // A second run of it would say who built, and wait for ever.
  await writeFile(join(meeting, name), 'built\n');
  const second = await start();
  expect(second.hostKey).toBe(first.hostKey);
  const again = await second.client('nix', [...IN_ITS_STORE, '-L', ...jobArguments(name)]);
  expect(outputOf(again)).toBe(out);
  expect(again.stderr).not.toContain('building');
  expect(await readFile(join(meeting, name), 'utf8')).toBe('built\n');
  await second.container.remove();
});

test('a newer image says that the volume must be filled, and finds what was built once it is', {
  timeout: 300_000,
}, async () => {
  await publishNix(
    podman,
    'nixSshNext',
    `${layout}:v2`,
    ...ONLY_X86,
    '--reuse-from',
    `${layout}:v1`,
    '--test-with=none',
  );
  const next = await pull(podman, temp.path, 'builder:v2');
  const old = await start();
  const out = outputOf(await old.client('nix', [...IN_ITS_STORE, ...jobArguments(unique('kept'))]));
  await old.container.remove();
  await expect(start({ image: next })).rejects.toThrow(/filled by another version of this image.*fill/s);
  await podmanSays(podman, ['run', '--rm', '--volume', `${volume}:/mnt/nix`, next, 'fill']);
  const builder = await start({ image: next });
  expect(await builder.container.script(`cat ${out}`)).toContain('nixbld1');
  expect(builder.hostKey).toBe(old.hostKey);
  await builder.container.remove();
});

if (isEmulationTried()) {
  test('a container of the other architecture builds for it', { timeout: 300_000 }, async () => {
    await publishNix(podman, 'nixSsh', `${layout}:arm`, '--system', ARM, '--test-with=none');
    const emulated = await pull(podman, temp.path, 'builder:arm', 'linux/arm64');
    const builder = await start({ image: emulated, options: ['--platform', 'linux/arm64'] });
    const result = await builder.client('nix', [...AWAY, ...jobArguments(unique('arm'), { system: 'aarch64-linux' })]);
    expect(await readFile(outputOf(result), 'utf8')).toBe('nixbld1 aarch64\n');
    await builder.container.remove();
  });
}

describe('refuses', () => {
  const refusal = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await podman.run(['run', '--rm', ...args]);
    expect([exitCode, stdout]).toEqual([1, '']);
    return stderr;
  };
  const withKey = (): string[] => ['--env', `AUTHORIZED_KEYS=${key.publicKey}`];

  test('to start without a key that may log in', async () => {
    for (const keys of [[], ['--env', 'AUTHORIZED_KEYS=no key']]) {
      const stderr = await refusal(...keys, image);
      expect(stderr).toContain(
        'no public key that may log in: neither in the variable AUTHORIZED_KEYS nor in the file',
      );
    }
  });

  test('a port that is none, and a user that is not root', async () => {
    expect(await refusal('--env', 'SSH_PORT=ssh', ...withKey(), image)).toContain("SSH_PORT is 'ssh', expected a port");
    expect(await refusal('--user', '1000', ...withKey(), image)).toContain('Run the container as root');
  });

  test('an empty volume, one of another layout, schema or owner', async () => {
    const empty = await folder('empty');
    const at = (path: string): string[] => [...withKey(), '--volume', `${path}:/nix`, image];
    expect(await refusal(...at(empty))).toMatch(/the volume at \/nix is empty.*\n.*fill/);
    const data = await folder('data');
    await mkdir(join(data, 'pgdata'));
    expect(await refusal(...at(data))).toContain('the volume at /nix holds pgdata, but no Nix store');
    const old = await folder('old');
    for (const part of ['store', 'var/nix/db']) await mkdir(join(old, part), { recursive: true });
    await writeFile(join(old, 'var/nix/db/db.sqlite'), '');
    await writeFile(join(old, 'var/nix/db/schema'), '7');
    expect(await refusal(...at(old))).toContain('has schema 7, expected 10');
    await writeFile(join(old, 'var/nix/db/schema'), '10');
    await chown(join(old, 'store'), 1234, 1234);
    expect(await refusal(...at(old))).toMatch(/belongs to another user.*\n.*chown -R 0:0/);
  });

  test('to fill what holds something else, or nothing at all', async () => {
    const data = await folder('data');
    await mkdir(join(data, 'pgdata'), { recursive: true });
    expect(await refusal('--volume', `${data}:/mnt/nix`, image, 'fill')).toContain('the volume holds pgdata');
    expect(await refusal(image, 'fill')).toContain('no volume is mounted at /mnt/nix');
    expect(await refusal(image, 'fill', '/nix')).toContain('mount the volume somewhere else than at /nix');
  });
});

test('keys may be mounted: those of clients, and its own', async () => {
  const mounted = await folder('mounted');
  const host = await makeKey(mounted);
  await writeFile(join(mounted, 'authorized_keys'), `${key.publicKey}\n`);
  await writeFile(join(mounted, 'ssh_host_ed25519_key'), await readFile(host.file), { mode: 0o400 });
  const builder = await start({
    options: ['--volume', `${mounted}:/etc/nix-ssh:ro`, '--env', 'AUTHORIZED_KEYS='],
  });
  expect(builder.hostKey).toBe(host.publicKey.split(' ').slice(0, 2).join(' '));
  const { exitCode, stderr } = await builder.client('nix', ['store', 'ping', '--store', 'ssh-ng://root@127.0.0.1']);
  expect(exitCode, stderr).toBe(0);
  await builder.container.remove();
});
