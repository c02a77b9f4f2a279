// Settings for Nix where set-up has only just installed it. Nothing is written: they go to a child by NIX_CONFIG.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { run } from './machine.mjs';

const FOREIGN_SYSTEM = { x64: 'aarch64-linux', arm64: 'x86_64-linux' }[process.arch];

/**
 * The value of NIX_CONFIG with which Nix builds for both systems here. A user's own configuration stays as it is, but for the
 * other architecture as one more platform (a daemon takes that from trusted users only).
 */
export function nixConfig() {
  const lines = process.env.NIX_CONFIG ? [process.env.NIX_CONFIG] : [];
  // `extra-` adds to the setting extra-platforms, which has a default of its own (i686-linux).
  if (FOREIGN_SYSTEM !== undefined) lines.push(`extra-extra-platforms = ${FOREIGN_SYSTEM}`);
  if (!configured()) lines.push(...FRESH_INSTALL, ...(namespacesWork() ? [] : ['sandbox = false']));
  return `${lines.join('\n')}\n`;
}

const FRESH_INSTALL = [
  // root without a daemon would build as users of the group nixbld, and fails where there is none.
  'build-users-group =',
  // All that is built comes from this machine; asking a binary cache for it only takes time.
  'substituters =',
];

/** Whether somebody has set Nix up: a daemon, build users or a configuration file. */
function configured() {
  const config = process.env.XDG_CONFIG_HOME || join(homedir(), '.config');
  const files = [
    join(process.env.NIX_CONF_DIR || '/etc/nix', 'nix.conf'),
    join(config, 'nix', 'nix.conf'),
    '/nix/var/nix/daemon-socket/socket',
  ];
  const buildUsers = existsSync('/etc/group') && /^nixbld:/m.test(readFileSync('/etc/group', 'utf8'));
  return process.getuid?.() !== 0 || buildUsers || files.some((file) => existsSync(file));
}

/** Without build users the sandbox needs user namespaces, which containers often forbid; Nix stops instead of going without. */
function namespacesWork() {
  return run(['unshare', '--user', '--mount', 'true'], { quiet: true }).ok;
}
