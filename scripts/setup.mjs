// Makes a fresh Debian 12+ or Ubuntu 22.04+ machine ready: node scripts/setup.mjs demo|test|full|bench
// npm runs it before `npm run demo`, `npm test`, `npm run test:full` and `npm run bench`. It runs before any dependency is there, on
// whatever Node (18 or newer) the machine has, so it is plain JavaScript; what is in place already is only looked at, which takes well under
// a second.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installMissing } from './setup/apt.mjs';
import { ensureBinfmt } from './setup/binfmt.mjs';
import { ensureGoTools } from './setup/go-tools.mjs';
import { run, SetupError } from './setup/machine.mjs';
import { ensureNixVersions } from './setup/nix-versions.mjs';
import { checkNode, ensureDependencies } from './setup/node.mjs';
import { ensureMoto, ensureZizmor } from './setup/python-tools.mjs';
import { missingRequirements, nixStoreUsable } from './setup/requirements.mjs';

const MODES = ['demo', 'test', 'full', 'bench'];

/** The oldest Nix that is tested; an older one may work. */
const NIX_MINOR = 8;

const log = (line) => process.stderr.write(`setup: ${line}\n`);

function ensurePackages(mode) {
  const missing = missingRequirements(mode);
  if (missing.length > 0) installMissing(missing, log);
  const left = missingRequirements(mode).filter((requirement) => !requirement.name.match(/qemu|binfmt|^go$/));
  if (left.length > 0) throw new SetupError(`still missing: ${left.map((requirement) => requirement.name).join(', ')}`);
  log('packages: complete');
}

function checkNix() {
  const version = run(['nix', '--version'], { quiet: true }).stdout.trim();
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) === 2 && Number(minor) < NIX_MINOR)
    log(`nix: ${version} is older than what is tested (2.${NIX_MINOR})`);
  if (!nixStoreUsable()) {
    throw new SetupError(
      'this user may not use the Nix store. Run as root; or install nix-setup-systemd, run `sudo adduser "$USER" nix-users` and log in anew.',
    );
  }
  log(`nix: ${version}`);
}

async function setUp(mode) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  ensureDependencies(root, log);
  checkNode(root, log);
  ensurePackages(mode);
  checkNix();
  if (mode !== 'bench') ensureBinfmt(log);
  if (mode === 'demo') return;
  ensureGoTools(mode === 'full', log);
  if (mode === 'bench') return;
  ensureZizmor(log);
  ensureMoto(log);
  await ensureNixVersions(log);
}

const mode = process.argv[2];
if (!MODES.includes(mode)) {
  log(`usage: node scripts/setup.mjs ${MODES.join('|')}`);
  process.exitCode = 2;
} else {
  try {
    await setUp(mode);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    log(error.message);
    process.exitCode = 1;
  }
}
