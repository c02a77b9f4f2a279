import { chown, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { memoryTempDir, type TempDir } from '../../support/tools.ts';
import {
  type Container,
  NIX_TESTS,
  nixImage,
  passedTests,
  podmanSays,
  publishNix,
  pull,
  startContainer,
  type Tried,
} from './nix-kit.ts';
import { startSecureServer } from './utility-kit.ts';

// The image with Nix, built by Nix of Debian's packages, in containers without a network.

let temp: TempDir;
let podman: Podman;
let published: Tried;
let root: Container;
let user: Container;
let daemon: Container;

const OFFLINE = ['--network', 'none'];
const HOLD = ['tail', '-f', '/dev/null'];

/** A flake that needs nothing but what is in the image. `outputs` is a variable that `nix develop` looks for. */
const FLAKE = `{
  outputs = _: {
    packages.x86_64-linux.default = derivation {
      name = "offline";
      system = "x86_64-linux";
      outputs = [ "out" ];
      builder = "/bin/bash";
      PATH = "/bin";
      GREETING = "hello";
      args = [ "-c" "echo $GREETING from $(id -un) > $out" ];
    };
  };
}`;

/** Makes the flake a git repository in a new folder and goes there. */
const IN_FLAKE = `cd "$(mktemp -d)"; git init --quiet .; cat >flake.nix <<'EOF'\n${FLAKE}\nEOF\ngit add flake.nix\n`;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), memoryTempDir('nix')]);
  const layout = `oci:${temp.path}/nix`;
  published = await publishNix(podman, 'nix', `${layout}:root`, ...ONLY_X86);
  for (const [name, tag] of [
    ['nixUser', 'user'],
    ['nixDaemon', 'daemon'],
  ] as const) {
    await publishNix(
      podman,
      name,
      `${layout}:${tag}`,
      ...ONLY_X86,
      '--reuse-from',
      `${layout}:root`,
      '--test-with=none',
    );
  }
  root = await startContainer(podman, ...OFFLINE, await pull(podman, temp.path, 'nix:root'), ...HOLD);
  user = await startContainer(podman, ...OFFLINE, await pull(podman, temp.path, 'nix:user'), ...HOLD);
  daemon = await startContainer(podman, ...OFFLINE, await pull(podman, temp.path, 'nix:daemon'));
  // A machine's first run makes the packages.
}, 900_000);
afterAll(async () => {
  await podman?.remove();
  await temp?.remove();
});

// On AArch64: emulated.full.test.ts.
test('its own tests ran before it was published', () => {
  expect(passedTests(published)).toEqual([['linux/amd64', NIX_TESTS]]);
});

test('a second build is the same to the byte, the database of Nix included', { timeout: 300_000 }, async () => {
  const again = await publishNix(
    podman,
    'nix',
    `oci:${temp.path}/again:v1`,
    ...ONLY_X86,
    '--no-reuse',
    '--test-with=none',
  );
  expect(again.platforms[0]?.digest).toBe(published.platforms[0]?.digest);
  expect(await root.script('nix path-info --all --json | grep -o \'"registrationTime":[0-9]*\' | sort -u')).toBe(
    '"registrationTime":1',
  );
});

test('has what programs look for: accounts, certificates, places', async () => {
  const text = await root.script(`
    readlink -f /bin/sh | grep -o 'bin/bash$'
    /usr/bin/env bash -c 'echo env'
    id -un
    getent() { grep "^$1:" /etc/passwd | cut -d: -f1,3,4; }; getent nobody; getent nixbld1; getent nixbld32
    grep -c ^nixbld /etc/passwd
    stat -c '%a %n' /tmp /var/tmp
    for bundle in "$SSL_CERT_FILE" "$NIX_SSL_CERT_FILE" "$GIT_SSL_CAINFO" /etc/ssl/certs/ca-{bundle,certificates}.crt; do
      grep -c 'BEGIN CERTIFICATE' "$bundle" >>/tmp/certificates
    done
    sort -u /tmp/certificates | wc -l
    [ "$(head -1 /tmp/certificates)" -gt 100 ]
    which less curl
    nix --version
    nix show-config | grep -E '^(experimental-features|sandbox) ='
  `);
  expect(text.split('\n')).toEqual([
    ...['bin/bash', 'env', 'root', 'nobody:65534:65534', 'nixbld1:30001:30000', 'nixbld32:30032:30000', '32'],
    ...['1777 /tmp', '1777 /var/tmp', '1', '/bin/less', '/bin/curl', expect.stringMatching(/^nix \(Nix\) \d/)],
    // From 2.20 on, flakes bring fetch-tree with them.
    expect.stringMatching(/^experimental-features = (fetch-tree )?flakes nix-command$/),
    'sandbox = false',
  ]);
});

test('Nix and git believe the authorities in the bundle and no others', async () => {
  await using server = await startSecureServer(temp.path);
  // Nix would try five times, for seconds.
  const ask = `nix-prefetch-url --option download-attempts 1 ${server.url}/file 2>&1; git ls-remote ${server.url}/repository 2>&1`;
  const run = async (...options: readonly string[]): Promise<string> =>
    (await podman.run(['run', '--rm', '--network', 'host', ...options, await imageOf(root), 'sh', '-c', ask])).stdout;
  const doubted = await run();
  expect(doubted).toMatch(/unable to download .*certificate/i);
  expect(doubted).toMatch(/fatal: .*certificate/);
  expect(server.requests).toEqual([]);
  const believed = await run('--volume', `${server.authority}:/etc/ssl/certs/ca-bundle.crt:ro`);
  expect(believed).toContain('path is ');
  expect(server.requests).toEqual(['GET /file', 'GET /repository/info/refs?service=git-upload-pack']);
});

describe.each([
  // Who runs Nix, and as whom it builds.
  ['root', () => root, [], 'nixbld1'],
  ['another user', () => user, [], 'nix'],
  ['root beside the daemon', () => daemon, [], 'nixbld1'],
  ['nobody, through the daemon', () => daemon, ['--user', 'nobody'], 'nixbld1'],
])('as %s, without a network and with the image’s settings', (_, container, as, builder) => {
  test('builds a flake of a git repository, enters its shells and installs nothing to do so', async () => {
    const text = await container().script(
      `${IN_FLAKE}
      nix build
      cat result
      nix develop --command bash -c 'echo develop: $GREETING'
      nix-shell --pure --expr '(builtins.getFlake "'$PWD'").packages.x86_64-linux.default' --run 'echo shell: $GREETING'`,
      as,
    );
    expect(text.split('\n')).toEqual([`hello from ${builder}`, 'develop: hello', 'shell: hello']);
  });

  test('collects garbage without taking what the image needs', async () => {
    const text = await container().script(
      `${IN_FLAKE}
      sed -i "s/offline/garbage-$RANDOM/" flake.nix
      out=$(nix build --no-link --json | grep -o '/nix/store/[a-z0-9]*-garbage-[0-9]*"' | tr -d '"')
      [ -e "$out" ]
      nix-collect-garbage --delete-old >/dev/null 2>&1
      [ ! -e "$out" ]
      nix store verify --all >/dev/null 2>&1
      nix build
      cat result`,
      as,
    );
    expect(text).toBe(`hello from ${builder}`);
  });
});

test('the daemon ends with its container', async () => {
  const own = await startContainer(podman, ...OFFLINE, `${await imageOf(daemon)}`);
  // A signal is lost on a process that does not listen to it yet.
  await own.script('for _ in {1..100}; do [ ! -S /nix/var/nix/daemon-socket/socket ] || break; sleep 0.1; done');
  // Killed by SIGKILL after these seconds, it would say 137.
  await podmanSays(podman, ['stop', '--time', '30', own.id]);
  expect(await podmanSays(podman, ['inspect', '--format', '{{.State.ExitCode}}', own.id])).not.toBe('137');
});

test('a command beside the daemon can use it, and its end is the container’s', async () => {
  const { exitCode, stdout } = await podman.run([
    ...['run', '--rm', ...OFFLINE, await imageOf(daemon), 'bash', '-c', 'nix store ping --store daemon 2>&1; exit 7'],
  ]);
  expect(stdout).toContain('Store URL: daemon');
  expect(exitCode).toBe(7);
});

const imageOf = ({ id }: Container): Promise<string> => podmanSays(podman, ['inspect', '--format', '{{.Image}}', id]);

test('serves as the container of a GitHub job', async () => {
  // The runner mounts its own node and folders of uid 1001, and runs steps by `docker exec`.
  const work = join(temp.path, 'work');
  const home = join(temp.path, 'home');
  for (const folder of [work, home]) await mkdir(folder);
  await writeFile(join(work, 'flake.nix'), FLAKE);
  const job = await startContainer(
    podman,
    ...[...OFFLINE, '--entrypoint', 'tail', '--workdir', '/__w/project/project', '--env', 'HOME=/github/home'],
    ...['--volume', `${work}:/__w/project/project`, '--volume', `${home}:/github/home`],
    ...['--volume', `${dirname(process.execPath)}:/__e/node/bin:ro`, await imageOf(root), '-f', '/dev/null'],
  );
  await job.script('git init --quiet . && git add flake.nix');
  for (const name of ['', '.git', 'flake.nix']) await chown(join(work, name), 1001, 1001);
  await chown(home, 1001, 1001);
  const step = 'nix build && cat result && tar -czf /tmp/cache.tgz flake.nix && tar -tzf /tmp/cache.tgz';
  expect(await job.script(`printf '%s' '${step}' >step.sh; sh -e step.sh`)).toBe('hello from nixbld1\nflake.nix');
  // Debian has no nix-ld, which reads NIX_LD and NIX_LD_LIBRARY_PATH: here the loader itself is told.
  const node = 'LD_LIBRARY_PATH=$NIX_LD_LIBRARY_PATH:$(dirname $NIX_LD) /__e/node/bin/node --print process.version';
  expect(await job.script(node)).toBe(process.version);
});

test.each([
  ['unknownVariant', /unknown variant 'deamon'; there are daemon, root, user/],
  ['sshAsUser', /nix-ssh: variant: sshd and the build users need root/],
  ['rootWithUid', /nix: uid: only the variant "user" takes it; accounts are added by users/],
  ['unknownPackage', /nix: packages: unknown package 'jqq'.*did you mean 'jq'/i],
  ['wrongSettings', /nix: settings: expected an attribute set, got a string/],
])('%s is refused with what there is', async (name, message) => {
  const { exitCode, stderr } = await runCli(['publish', ...(await nixImage(name)), '--to', `oci:${temp.path}/none`]);
  expect(stderr).toMatch(message);
  expect(exitCode).toBe(1);
});
