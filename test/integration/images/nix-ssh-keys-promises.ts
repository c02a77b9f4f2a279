import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Podman, preparePodman } from '../../support/podman.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { memoryTempDir, runProgram, type TempDir } from '../../support/tools.ts';
import { podmanSays, publishNix, pull } from './nix-kit.ts';
import {
  BUILDER_CAPABILITIES,
  type Builder,
  type BuilderOptions,
  type ClientKey,
  makeKey,
  startBuilder,
} from './nix-ssh-kit.ts';

// The keys of the remote builder: those of its clients, which come and go, and its own.

let temp: TempDir;
let podman: Podman;
let image: string;
let key: ClientKey;
let other: ClientKey;

beforeAll(async () => {
  [podman, temp] = await Promise.all([preparePodman(), memoryTempDir('nix-ssh-keys')]);
  await publishNix(podman, 'nixSsh', `oci:${temp.path}/builder:v1`, ...ONLY_X86, '--test-with=none');
  image = await pull(podman, temp.path, 'builder:v1');
  key = await makeKey(temp.path);
  other = await makeKey(await folder('other'));
}, 900_000);
afterAll(async () => {
  await podman?.remove();
  await temp?.remove();
});

const folder = async (name: string): Promise<string> => {
  const path = join(temp.path, name);
  await mkdir(path, { recursive: true });
  return path;
};

const start = (more: Partial<BuilderOptions> = {}): Promise<Builder> =>
  startBuilder({ podman, image, key, folder: temp.path, ...more });

/** Whether sshd lets a key in. */
async function letsIn(builder: Builder, client: ClientKey): Promise<boolean> {
  const options = builder.ssh.map((option) => (option === key.file ? client.file : option));
  const { stderr } = await runProgram('ssh', [...options, 'root@127.0.0.1', 'id']);
  if (stderr.includes('this host talks to Nix alone')) return true;
  expect(stderr).toContain('Permission denied (publickey)');
  return false;
}

/** What a container says that does not start. */
async function refusal(...options: readonly string[]): Promise<string> {
  const { exitCode, stderr } = await podman.run(['run', '--rm', ...options, image]);
  expect(exitCode).toBe(1);
  return stderr;
}

const noKeys = ['--env', 'AUTHORIZED_KEYS='];

describe('keys of clients', () => {
  test('fifty wrong ones lock nobody out who comes from the same address', async () => {
    const builder = await start();
    for (let round = 0; round < 5; round += 1) {
      const wrong = await Promise.all(Array.from({ length: 10 }, () => letsIn(builder, other)));
      expect(wrong).not.toContain(true);
      expect(await letsIn(builder, key)).toBe(true);
    }
    const ping = await builder.client('nix', ['store', 'ping', '--store', 'ssh-ng://root@127.0.0.1']);
    expect(ping.exitCode, ping.stderr).toBe(0);
    // Of the health check: its exit code is all that counts.
    await builder.container.script('/lib/nix-ssh/healthy');
    expect((await builder.container.tryScript('SSH_PORT=1 /lib/nix-ssh/healthy')).exitCode).not.toBe(0);
    await builder.container.remove();
  });

  test('are exchanged while it runs: a revoked one no longer logs in', async () => {
    const mounted = await folder('rotated');
    const file = join(mounted, 'authorized_keys');
    await writeFile(file, `# the first\n${key.publicKey}\n`);
    const builder = await start({ options: ['--volume', `${mounted}:/etc/nix-ssh:ro`, ...noKeys] });
    expect([await letsIn(builder, key), await letsIn(builder, other)]).toEqual([true, false]);
    await writeFile(file, `not a key\r\n${other.publicKey}\r\n`);
    expect([await letsIn(builder, key), await letsIn(builder, other)]).toEqual([false, true]);
    await writeFile(file, '');
    expect(await letsIn(builder, other)).toBe(false);
    const logs = await builder.container.logs();
    expect(logs).toContain('/etc/nix-ssh/authorized_keys, line 1: not a public key');
    expect(logs).toMatch(/have changed\nnix-ssh: no public key that may log in/);
    await builder.container.remove();
  });

  test('that are invalid are reported by line, and a private one stops the start', async () => {
    const mounted = await folder('mistaken');
    await writeFile(join(mounted, 'authorized_keys'), `${key.publicKey}\n\nssh-ed25519 AAAA\n# a comment\n???`);
    const builder = await start({ options: ['--volume', `${mounted}:/etc/nix-ssh:ro`, ...noKeys] });
    const lines = (await builder.container.logs()).match(/line \d+: not a public key/g);
    expect(lines).toEqual(['line 3: not a public key', 'line 5: not a public key']);
    await builder.container.remove();
    const secret = await readFile(other.file, 'utf8');
    const told = await refusal('--env', `AUTHORIZED_KEYS=${key.publicKey}\n${secret}`);
    expect(told).toContain('the variable AUTHORIZED_KEYS, line 2: this is a private key');
    expect(told).not.toContain(secret.split('\n')[1]);
  });
});

describe('its own key', () => {
  const filled = async (name: string): Promise<string> => {
    const volume = await folder(name);
    await podmanSays(podman, ['run', '--rm', '--volume', `${volume}:/mnt/nix`, image, 'fill']);
    return volume;
  };

  test('survives a start that was killed, and a volume whose group was changed', async () => {
    const volume = await filled('volume');
    const own = join(volume, 'var/nix-ssh');
    await mkdir(own);
    for (const left of ['new', 'new.pub', 'ssh_host_ed25519_key']) await writeFile(join(own, left), '');
    const options = ['--volume', `${volume}:/nix`];
    const first = await start({ options });
    expect(await letsIn(first, key)).toBe(true);
    await first.container.remove();
    // What Kubernetes does to a volume by fsGroup.
    await chown(join(own, 'ssh_host_ed25519_key'), 0, 2000);
    await chmod(join(own, 'ssh_host_ed25519_key'), 0o660);
    await chown(own, 0, 2000);
    await chmod(own, 0o2770);
    const second = await start({ options });
    expect(second.hostKey).toBe(first.hostKey);
    expect(await letsIn(second, key)).toBe(true);
    await second.container.remove();
    expect((await readdir(own)).filter((name) => name !== 'new' && name !== 'new.pub')).toEqual([
      'ssh_host_ed25519_key',
    ]);
  });

  test('may be mounted as editors and clusters leave it, but not open to builds', async () => {
    const mounted = await folder('host');
    const host = await makeKey(await folder('host-pair'));
    const file = join(mounted, 'ssh_host_ed25519_key');
    await writeFile(file, (await readFile(host.file, 'utf8')).trimEnd().replaceAll('\n', '\r\n'), { mode: 0o400 });
    const options = ['--volume', `${mounted}:/etc/nix-ssh:ro`];
    const builder = await start({ options });
    expect(builder.hostKey).toBe(host.publicKey.split(' ').slice(0, 2).join(' '));
    expect(await letsIn(builder, key)).toBe(true);
    await builder.container.remove();
    await chmod(file, 0o444);
    const told = await refusal('--env', `AUTHORIZED_KEYS=${key.publicKey}`, ...options);
    expect(told).toMatch(/ssh_host_ed25519_key can be read by every build.*\n.*defaultMode: 0400/);
    // Alone it lies in a folder of the image, which is closed.
    const closed = await start({ options: ['--volume', `${file}:/etc/nix-ssh/ssh_host_ed25519_key:ro`] });
    expect(closed.hostKey).toBe(builder.hostKey);
    await closed.container.remove();
  });

  test('with a passphrase, or a public one in its place, is refused without a question', async () => {
    const mounted = await folder('locked');
    const file = join(mounted, 'ssh_host_ed25519_key');
    await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'a passphrase', '-f', file]);
    const options = ['--env', `AUTHORIZED_KEYS=${key.publicKey}`, '--volume', `${mounted}:/etc/nix-ssh:ro`];
    expect(await refusal(...options)).toContain('is not a private key for ssh, or one with a passphrase');
    await writeFile(file, other.publicKey);
    expect(await refusal(...options)).toContain('is not a private key for ssh, or one with a passphrase');
  });

  test('and nothing else that is secret is there for builds, with few capabilities and a read-only root', async () => {
    const volume = await filled('restricted');
    const builder = await start({
      options: [
        ...[
          '--volume',
          `${volume}:/nix`,
          '--read-only',
          '--tmpfs',
          '/run',
          '--tmpfs',
          '/tmp:exec',
          '--cap-drop',
          'all',
        ],
        ...BUILDER_CAPABILITIES.map((capability) => `--cap-add=${capability}`),
        ...['--env', 'SECRET=not for builds', '--security-opt', 'no-new-privileges'],
      ],
    });
    const job = join(temp.path, 'spy.nix');
    await writeFile(
      job,
      `derivation {
        name = "spy"; system = "x86_64-linux"; builder = "/bin/bash"; PATH = "/bin";
        args = [ "-c" ''
          cat /run/nix-ssh/* /nix/var/nix-ssh/* /etc/nix-ssh/* /etc/shadow /proc/1/environ >$out 2>/dev/null
          id -un >>$out
        '' ];
      }`,
    );
    const words = ['build', '--store', 'ssh-ng://root@127.0.0.1', '--eval-store', 'auto', '--file', job, '--json'];
    const { exitCode, stdout, stderr } = await builder.client('nix', [...words, '--no-link']);
    expect(exitCode, stderr).toBe(0);
    expect(await builder.container.script(`cat ${JSON.parse(stdout)[0].outputs.out}`)).toBe('nixbld1');
    await builder.container.remove();
  });
});
