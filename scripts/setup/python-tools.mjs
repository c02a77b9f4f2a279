// Test tools that exist as Python packages only.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory, findProgram, run, SetupError } from './machine.mjs';

const ZIZMOR_VERSION = '1.32.0';

/** The package has one program, made for each architecture. */
const ZIZMOR_HASHES = [
  '84a6acb975accc13408786a2bd274b572537ca19c933ebbc13e78f3988562071', // x86-64
  '0cdd38fca6eb34ceb567548548d706332e3535ea66894b9168c048e03207b68c', // AArch64
];

const MOTO_VERSION = '5.2.5';

/** All packages of moto, botocore among them, each by its hashes. */
const MOTO_REQUIREMENTS = join(dirname(fileURLToPath(import.meta.url)), 'moto.txt');

/** Where zizmor lies once it is there; it has its version in its name. */
export function zizmorPath() {
  return join(cacheDirectory(), 'bin', `zizmor-${ZIZMOR_VERSION}`);
}

/** Python's environment with moto, AWS's emulator, in it. */
const motoFolder = () => join(cacheDirectory(), `moto-${MOTO_VERSION}`);

/** The words that start moto's server once it is there. */
export function motoServer() {
  return [join(motoFolder(), 'bin/python3'), '-m', 'moto.server'];
}

/**
 * The folder of a service's models in botocore: `ecr`.
 * @param {string} service
 */
export function botocoreModels(service) {
  const libraries = join(motoFolder(), 'lib');
  const [python = ''] = readdirSync(libraries).filter((name) => name.startsWith('python'));
  return join(libraries, python, 'site-packages/botocore/data', service);
}

// The environment's Python is a link to the machine's, which is replaced when the machine is upgraded.
const haveMoto = () => existsSync(join(motoFolder(), 'bin/python3'));

/** Whether the tools are there, or Python can fetch them: Debian splits venv off. */
export function pythonToolsPossible() {
  if (existsSync(zizmorPath()) && haveMoto()) return true;
  return findProgram('python3') !== undefined && run(['python3', '-c', 'import ensurepip'], { quiet: true }).ok;
}

/**
 * Fetches zizmor, which checks workflows, into the cache unless it is there. Throws SetupError when pip cannot.
 * @param {(line: string) => void} log
 */
export function ensureZizmor(log) {
  if (!existsSync(zizmorPath())) installZizmor(log);
  log(`zizmor: ${ZIZMOR_VERSION}`);
}

/**
 * Fetches moto, which emulates AWS's token service, and AWS's service models, likewise. Throws SetupError when pip cannot.
 * @param {(line: string) => void} log
 */
export function ensureMoto(log) {
  if (!haveMoto()) installMoto(log);
  log(`moto: ${MOTO_VERSION}`);
}

/** @param {(line: string) => void} log */
function installZizmor(log) {
  log(`zizmor: pip install zizmor==${ZIZMOR_VERSION}`);
  const directory = join(cacheDirectory(), 'bin');
  mkdirSync(directory, { recursive: true });
  const draft = mkdtempSync(join(directory, '.draft-'));
  try {
    const requirements = join(draft, 'requirements.txt');
    const hashes = ZIZMOR_HASHES.map((hash) => `--hash=sha256:${hash}`).join(' ');
    writeFileSync(requirements, `zizmor==${ZIZMOR_VERSION} ${hashes}\n`);
    installInto(join(draft, 'venv'), requirements);
    // A program of its own, which needs nothing else of the environment that pip wants for it.
    renameSync(join(draft, 'venv/bin/zizmor'), zizmorPath());
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** @param {(line: string) => void} log */
function installMoto(log) {
  log(`moto: pip install moto==${MOTO_VERSION}`);
  mkdirSync(cacheDirectory(), { recursive: true });
  const draft = mkdtempSync(join(cacheDirectory(), '.draft-'));
  try {
    installInto(join(draft, 'venv'), MOTO_REQUIREMENTS);
    rmSync(motoFolder(), { recursive: true, force: true });
    // Scripts in it name the draft, and are not used: the interpreter finds its packages wherever it lies.
    renameSync(join(draft, 'venv'), motoFolder());
  } catch (error) {
    // Another run may have been faster.
    if (!haveMoto()) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/**
 * Makes an environment of Python's with exactly what a file of requirements lists.
 * @param {string} environment
 * @param {string} requirements
 */
function installInto(environment, requirements) {
  const options = ['--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--require-hashes', '--no-deps'];
  step(['python3', '-m', 'venv', environment]);
  step([join(environment, 'bin/python3'), '-m', 'pip', 'install', ...options, '--requirement', requirements]);
}

/** @param {readonly string[]} argv */
function step(argv) {
  const { ok, stderr } = run(argv, { quiet: true });
  if (!ok)
    throw new SetupError(`${argv.slice(0, 4).join(' ')} failed:\n${stderr.trim().split('\n').slice(-12).join('\n')}`);
}
