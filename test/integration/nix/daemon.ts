import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { NixUnderTest } from '../../support/nix.ts';

/** A Nix daemon of a test's own. */
export interface Daemon {
  stop(): Promise<void>;
}

/** Starts a daemon that serves `store` at `socket`. Throws with what it said when it does not come up. */
export async function startDaemon({ env }: NixUnderTest, store: string, socket: string): Promise<Daemon> {
  const child = spawn('nix-daemon', ['--store', store], {
    env: { ...process.env, ...env, NIX_DAEMON_SOCKET_PATH: socket },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  while (!existsSync(socket)) {
    if (child.exitCode !== null || child.pid === undefined) throw new Error(`nix-daemon ended: ${said}`);
    await setTimeout(20);
  }
  return {
    stop: () => {
      child.kill();
      return ended;
    },
  };
}
