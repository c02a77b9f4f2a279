import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_NIX_CONFIG } from '../../support/nix.ts';
import type { Podman } from '../../support/podman.ts';
import { freePort, type ProgramResult, runProgram } from '../../support/tools.ts';
import { type Container, startContainer } from './nix-kit.ts';

/** All that sshd, Nix and its build users need, beside NET_BIND_SERVICE where ports below 1024 need it. */
export const BUILDER_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID', 'SYS_CHROOT'];

/** A client's key pair, in a folder. */
export interface ClientKey {
  readonly file: string;
  readonly publicKey: string;
}

/** Makes a key for a client in `folder`. */
export async function makeKey(folder: string): Promise<ClientKey> {
  const file = join(folder, 'id');
  const { exitCode, stderr } = await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  if (exitCode !== 0) throw new Error(stderr);
  return { file, publicKey: (await readFile(`${file}.pub`, 'utf8')).trim() };
}

/** A container of nix-ssh that answers, and what its clients need to know. */
export interface Builder {
  readonly container: Container;
  readonly port: number;
  /** The public host key that it printed. */
  readonly hostKey: string;
  /** Options of ssh that reach it, host key checked. */
  readonly ssh: readonly string[];
  /** Runs a program of the host with what Nix needs to reach `ssh-ng://root@127.0.0.1`, beside `env`. */
  client(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<ProgramResult>;
}

export interface BuilderOptions {
  readonly podman: Podman;
  readonly image: string;
  readonly key: ClientKey;
  /** Folder for the client's files. */
  readonly folder: string;
  /** Further options of `podman run`. */
  readonly options?: readonly string[];
}

/** Starts a builder on a port of the loopback address and waits until it answers. Throws with what it printed otherwise. */
export async function startBuilder({ podman, image, key, folder, options = [] }: BuilderOptions): Promise<Builder> {
  const port = await freePort();
  const container = await startContainer(
    podman,
    ...['--network', 'host', '--env', `SSH_PORT=${port}`, '--env', `AUTHORIZED_KEYS=${key.publicKey}`],
    // Nothing to ask for store paths is there, and qemu cannot filter system calls.
    ...['--env', 'NIX_CONFIG=substituters =\nfilter-syscalls = false', ...options, image],
  );
  const hostKey = await listening(podman, container);
  const known = join(folder, `known-${port}`);
  await writeFile(known, `[127.0.0.1]:${port} ${hostKey}\n`);
  const ssh = [
    ...['-F', 'none', '-p', `${port}`, '-i', key.file, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
    ...['-o', `UserKnownHostsFile=${known}`, '-o', 'StrictHostKeyChecking=yes'],
  ];
  const own = {
    NIX_SSHOPTS: ssh.join(' '),
    NIX_CONFIG: TEST_NIX_CONFIG.replace(/extra-platforms.*/, '').replace(
      'experimental-features =',
      'experimental-features = nix-command flakes',
    ),
  };
  return {
    container,
    port,
    hostKey,
    ssh,
    client: (program, args, env = {}) => runProgram(program, args, { env: { ...env, ...own } }),
  };
}

/** The host key, once sshd listens. */
async function listening(podman: Podman, container: Container): Promise<string> {
  for (;;) {
    const text = await container.logs();
    const hostKey = /for known_hosts: (\S+ \S+)/.exec(text)?.[1];
    if (hostKey !== undefined && text.includes('Server listening')) return hostKey;
    const { stdout } = await podman.run(['inspect', '--format', '{{.State.Running}}', container.id]);
    if (stdout.trim() !== 'true') throw new Error(`the builder ended:\n${text}`);
    await sleep(100);
  }
}
