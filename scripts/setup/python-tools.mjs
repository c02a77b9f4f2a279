// Test tools that exist as Python packages only.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, findProgram, run, SetupError } from './machine.mjs';

const ZIZMOR_VERSION = '1.32.0';

/** The package has one program, made for each architecture. */
const ZIZMOR_HASHES = [
  '84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071', // x86-64
  '0cdd38fca6eb34ceb567548548d706332e3535ea66894b9168c048e03207b68c', // AArch64
];

/** Where zizmor lies once it is there; it has its version in its name. */
export function zizmorPath() {
  return join(cacheDirectory(), 'bin', `zizmor-${ZIZMOR_VERSION}`);
}

/** Whether zizmor is there, or Python can fetch it: Debian splits venv off. */
export function zizmorPossible() {
  if (existsSync(zizmorPath())) return true;
  return findProgram('python3') !== undefined && run(['python3', '-c', 'import ensurepip'], { quiet: true }).ok;
}

/**
 * Fetches zizmor, which checks workflows, into the cache unless it is there. Throws SetupError when pip cannot.
 * @param {(line: string) => void} log
 */
export function ensureZizmor(log) {
  if (!existsSync(zizmorPath())) install(log);
  log(`zizmor: ${ZIZMOR_VERSION}`);
}

/** @param {(line: string) => void} log */
function install(log) {
  log(`zizmor: pip install zizmor==${ZIZMOR_VERSION}`);
  const directory = join(cacheDirectory(), 'bin');
  mkdirSync(directory, { recursive: true });
  const draft = mkdtempSync(join(directory, '.draft-'));
  try {
    const requirements = join(draft, 'requirements.txt');
    const hashes = ZIZMOR_HASHES.map((hash) => `--hash=sha256:${hash}`).join(' ');
    writeFileSync(requirements, `zizmor==${ZIZMOR_VERSION} ${hashes}\n`);
    const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes'];
    step(['python3', '-m', 'venv', join(draft, 'venv')]);
    step([join(draft, 'venv/bin/python3'), '-m', 'pip', 'install', ...options, '--requirement', requirements]);
    // A program of its own, which needs nothing else of the environment that pip wants for it.
    renameSync(join(draft, 'venv/bin/zizmor'), zizmorPath());
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** @param {readonly string[]} argv */
function step(argv) {
  const { ok, stderr } = run(argv, { quiet: true });
  if (!ok)
    throw new SetupError(`${argv.slice(0, 4).join(' ')} failed:\n${stderr.trim().split('\n').slice(-12).join('\n')}`);
}
