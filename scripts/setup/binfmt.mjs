// Programs of the other architecture, run by qemu through the kernel's binfmt_misc.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asRoot, findProgram, run, SetupError } from './machine.mjs';

const DIRECTORY = '/proc/sys/fs/binfmt_misc';

/** The format of the architecture that this machine is not. */
const FORMAT = { x64: 'qemu-aarch64', arm64: 'qemu-x86_64' }[process.arch];

/**
 * Whether the kernel runs the other architecture's programs everywhere: registered with flag F, the interpreter is
 * opened at registration, and so found inside Nix' sandbox and inside containers too.
 */
export function binfmtReady() {
  if (FORMAT === undefined || !existsSync(join(DIRECTORY, FORMAT))) return false;
  const text = readFileSync(join(DIRECTORY, FORMAT), 'utf8');
  return /^enabled$/m.test(text) && /^flags: .*F/m.test(text);
}

/**
 * Registers the other architecture; its packages must be installed. Throws SetupError when the kernel will not have it.
 * @param {(line: string) => void} log
 */
export function ensureBinfmt(log) {
  if (FORMAT === undefined) throw new SetupError(`no other architecture is known for ${process.arch}`);
  if (!binfmtReady()) register();
  if (!binfmtReady()) {
    throw new SetupError(
      `the kernel does not run ${FORMAT.slice('qemu-'.length)} programs: ${join(DIRECTORY, FORMAT)} should say "enabled" and have the flag F. ` +
        'In a container, register it on the host: install qemu-user-static and binfmt-support there.',
    );
  }
  log(`binfmt: ${FORMAT}`);
}

function register() {
  if (!existsSync(join(DIRECTORY, 'register'))) {
    run(asRoot(['mount', '-t', 'binfmt_misc', 'binfmt_misc', DIRECTORY]));
  }
  const updateBinfmts = findProgram('update-binfmts');
  if (updateBinfmts !== undefined) {
    // A format that was registered while binfmt_misc was not mounted counts as enabled: disable it first.
    run(asRoot([updateBinfmts, '--disable', FORMAT]), { quiet: true });
    run(asRoot([updateBinfmts, '--enable', FORMAT]), { quiet: true });
  }
  // Without update-binfmts the packages leave the line for systemd to write.
  const line = [`/usr/lib/binfmt.d/${FORMAT}.conf`, `/usr/lib/binfmt.d/${FORMAT}-static.conf`].find((file) =>
    existsSync(file),
  );
  if (binfmtReady() || line === undefined) return;
  run(asRoot(['tee', join(DIRECTORY, 'register')]), { quiet: true, input: readFileSync(line, 'utf8') });
}
