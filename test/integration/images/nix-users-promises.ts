import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { memoryTempDir, type TempDir } from '../../support/tools.ts';
import { podmanSays, publishNix, pull, startContainer } from './nix-kit.ts';

// The image with Nix as different users, as the first process, and with a volume at /nix.

let temp: TempDir;
let podman: Podman;
const images: Record<string, string> = {};

const NAMES = ['nix', 'nixUser', 'nixDaemon', 'nixTekton', 'nixNext'] as const;
const OFFLINE = ['--network', 'none'];

/** Builds something new, and works with git's settings of the user. */
const WORK = `cd
  nix build --impure --out-link own-result --expr 'derivation {
    name = "of-'$RANDOM-$RANDOM'"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo built > $out" ];
  }'
  cat own-result
  git config --global user.name someone
  git config user.name`;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), memoryTempDir('nix-users')]);
  const layout = `oci:${temp.path}/nix`;
  for (const name of NAMES) {
    const tag = name.toLowerCase();
    const reuse = name === 'nix' ? [] : ['--reuse-from', `${layout}:nix`];
    await publishNix(podman, name, `${layout}:${tag}`, ...ONLY_X86, ...reuse, '--test-with=none');
    images[name] = await pull(podman, temp.path, `nix:${tag}`);
  }
}, 900_000);
afterAll(async () => {
  await podman?.remove();
  await temp?.remove();
});

const image = (name: (typeof NAMES)[number]): string => images[name] ?? '';

/** What a container of an image says to a script of bash. */
const say = (name: (typeof NAMES)[number], script: string, ...options: readonly string[]): Promise<string> =>
  podmanSays(podman, ['run', '--rm', ...OFFLINE, ...options, image(name), 'bash', '-euo', 'pipefail', '-c', script]);

test('one daemon serves four users, each at home', async () => {
  const daemon = await startContainer(podman, ...OFFLINE, image('nixDaemon'));
  for (const user of ['root', 'nobody', '1000', '1001']) {
    expect(await daemon.script(WORK, ['--user', user])).toBe('built\nsomeone');
  }
  expect(await daemon.script('echo "$HOME"', ['--user', '1001'])).toBe('/home/runner');
  await daemon.remove();
});

test('a user who is not root cannot start the daemon, with the reason', async () => {
  const { exitCode, stderr } = await podman.run([
    'run',
    '--rm',
    ...OFFLINE,
    '--user',
    '1000',
    image('nixDaemon'),
    'id',
  ]);
  expect(stderr).toContain('nix-daemon needs root');
  expect(exitCode).toBe(1);
});

describe.each([
  ['its own user', 'nixUser', []],
  ["GitHub's 1001", 'nixUser', ['--user', '1001']],
  ['a random user, as OpenShift takes them', 'nixUser', ['--user', '1000680000:0']],
  ["Tekton's user, by name", 'nixTekton', []],
  ['a random user without an account', 'nixUser', ['--user', '1000680000:0', '--passwd=false']],
  ['another user of its group', 'nixTekton', ['--user', '1234:65532']],
] as const)('the variant for users, as %s', (_, name, options) => {
  test('builds, collects garbage and has a home', async () => {
    const said = await say(
      name,
      `${WORK}
      nix-collect-garbage >/dev/null 2>&1
      git --version | cut -c1-11`,
      ...options,
    );
    expect(said).toBe('built\nsomeone\ngit version');
  });
});

test('a user of another group gets a warning that names the right one', async () => {
  const { stderr } = await podman.run(['run', '--rm', ...OFFLINE, '--user', '1234:1234', image('nixUser'), 'true']);
  expect(stderr).toContain('Run the container as uid 1000 or with group 0, such as --user 1234:0');
});

test('null takes a variable of the image away, and a package takes the place of one that is built in', async () => {
  expect(await say('nixUser', 'echo $LESS; echo $TZDIR; TZ=Asia/Tokyo date +%Z')).toBe(
    '-FRX\n/usr/share/zoneinfo\nJST',
  );
  expect(await say('nixTekton', 'printenv LESS || echo none; less')).toBe('none\nown');
});

describe.each(['nix', 'nixUser', 'nixDaemon'] as const)('as the first process of %s', (name) => {
  test('a script ends with its container, and orphans do not stay', async () => {
    const script = 'sleep 1000; echo not reached';
    const container = await startContainer(podman, ...OFFLINE, image(name), 'sh', '-c', script);
    await container.script('(sleep 0.1 &)');
    const states = await container.script('sleep 0.5; cat /proc/[0-9]*/stat 2>/dev/null | cut -d" " -f3');
    expect(states.split('\n')).not.toContain('Z');
    // Killed by SIGKILL after these seconds, it would say 137.
    await podmanSays(podman, ['stop', '--time', '60', container.id]);
    const code = await podmanSays(podman, ['inspect', '--format', '{{.State.ExitCode}}', container.id]);
    expect(code).toBe('143');
    await container.remove();
  });
});

test('builds have a sandbox in a privileged container that asks for one', async () => {
  // Debian's Nix has a shell of Debian's own in the sandbox, nixpkgs' a static one as here.
  const settings = 'sandbox = true\nsandbox-paths = /bin/sh=/lib/nix-images/sh';
  const script = `nix build --impure --out-link /tmp/seen --expr 'derivation {
    name = "seen"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo /* > $out" ];
  }'
  cat /tmp/seen`;
  const seen = await say('nix', script, '--privileged', '--env', `NIX_CONFIG=${settings}`);
  expect(seen.split(' ')).toEqual(['/bin', '/build', '/dev', '/etc', '/nix', '/proc', '/tmp']);
});

/** Keeps what is built, as a user would with `nix profile` or a result. */
const KEEP = `nix build --impure --out-link /nix/var/nix/gcroots/kept --expr 'derivation {
  name = "kept"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo kept > $out" ];
}'`;

describe('a volume at /nix', () => {
  const folder = async (name: string): Promise<string> => {
    const path = join(temp.path, name);
    await mkdir(path, { recursive: true });
    return path;
  };
  const fill = (name: (typeof NAMES)[number], volume: string, ...options: readonly string[]): Promise<string> =>
    podmanSays(podman, ['run', '--rm', ...options, '--volume', `${volume}:/mnt/nix`, image(name), 'fill']);

  test('keeps what was built when the image is upgraded, through garbage collection too', async () => {
    const volume = await folder('upgraded');
    await fill('nix', volume);
    const at = ['--volume', `${volume}:/nix`];
    await say('nix', KEEP, ...at);
    const { exitCode, stderr } = await podman.run(['run', '--rm', ...at, image('nixNext'), 'true']);
    expect(stderr).toMatch(/filled by another version of this image \(there is no .*tini-next.*\n.*fill/);
    expect(exitCode).toBe(1);
    await fill('nixNext', volume);
    const script = `nix-collect-garbage >/dev/null 2>&1; cat /nix/var/nix/gcroots/kept; git --version | cut -c1-3; ${WORK}`;
    expect(await say('nixNext', script, ...at)).toBe('kept\ngit\nbuilt\nsomeone');
    // What only the older image needed is gone.
    expect((await podman.run(['run', '--rm', ...at, image('nix'), 'true'])).stderr).toContain('fill');
  });

  test('that was copied by hand keeps the image’s programs', async () => {
    const volume = await folder('copied');
    const copy = 'cp -a /nix/store /mnt/nix/; mkdir -p /mnt/nix/var/nix; cp -a /nix/var/nix/db /mnt/nix/var/nix/';
    await say('nix', copy, '--volume', `${volume}:/mnt/nix`);
    const script = `nix-collect-garbage >/dev/null 2>&1; git --version | cut -c1-3; ${WORK}`;
    expect(await say('nix', script, '--volume', `${volume}:/nix`)).toBe('git\nbuilt\nsomeone');
  });

  test('is filled and used by a user who has nothing but the group', async () => {
    const volume = await folder('shared');
    await podmanSays(podman, [
      ...['run', '--rm', '--user', '0', '--volume', `${volume}:/mnt/nix`, '--entrypoint', 'chmod', image('nixUser')],
      ...['2777', '/mnt/nix'],
    ]);
    await fill('nixUser', volume, '--user', '1000680000:0');
    expect(await say('nixUser', WORK, '--user', '1000680000:0', '--volume', `${volume}:/nix`)).toBe('built\nsomeone');
  });
});
