// The dependencies from package-lock.json, and with them the Node that everything after set-up runs on.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { run, SetupError } from './machine.mjs';

/** TypeScript is run as it is, and zstd and sqlite come from Node itself. */
const NODE_MAJOR = 24;

/**
 * Installs the locked dependencies when they are not there or the lock has changed since.
 * @param {string} root folder of package.json
 * @param {(line: string) => void} log
 */
export function ensureDependencies(root, log) {
  const modules = join(root, 'node_modules');
  const stamp = join(modules, '.setup-lock-sha256');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) {
    log('dependencies: as locked');
    return;
  }
  log('dependencies: npm ci');
  const args = ['ci', '--ignore-scripts', ...QUIET, '--include=dev', '--include=optional'];
  withNpm(root, log, (npm) => {
    // Node 24 is an optional dependency and the tools are development ones: a user's npm settings may leave out both.
    if (!run([...npm, ...args], { cwd: root }).ok) throw new SetupError('npm ci failed; its messages are above');
  });
  writeFileSync(stamp, lock);
}

const QUIET = ['--no-audit', '--no-fund', '--loglevel=error'];

/** Used where the machine's own npm runs on a Node that is too old. */
const NPM_VERSION = '11.6.2';

/**
 * Calls `use` with the argv of an npm that installs everything: npm leaves out optional packages (the tools' native parts)
 * when they do not support the Node it runs on, so on an older one it first fetches Node 24 and an npm for it.
 */
function withNpm(root, log, use) {
  const own = machineNpm(join(root, 'node_modules'));
  const name = `node-linux-${process.arch}`;
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).optionalDependencies[name];
  if (version === undefined || toolsRunOn(nodeVersionOf(own))) {
    use(own);
    return;
  }
  log(`dependencies: this Node is too old for npm ci; fetching Node ${version} first`);
  const draft = mkdtempSync(join(tmpdir(), 'nix-images-node-'));
  try {
    const packages = [`${name}@${version}`, `npm@${NPM_VERSION}`];
    const install = ['install', '--prefix', draft, '--no-save', '--ignore-scripts', ...QUIET, '--engine-strict=false'];
    const { ok } = run([...own, ...install, ...packages], { cwd: draft });
    if (!ok) throw new SetupError('npm install of Node failed; its messages are above');
    const modules = join(draft, 'node_modules');
    use([join(modules, name, 'bin', 'node'), join(modules, 'npm', 'bin', 'npm-cli.js')]);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** The range that the tools' native parts declare in package-lock.json: `^20.19.0 || >=22.12.0`. */
function toolsRunOn(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
}

/** The version of the Node that runs this npm. */
function nodeVersionOf(npm) {
  const node = npm.length === 2 ? [npm[0]] : [...npm.slice(0, -1), 'node'];
  return run([...node, '-p', 'process.versions.node'], { quiet: true }).stdout.trim();
}

/** npm as it was called; never by a Node inside `modules`, which npm ci takes away. */
function machineNpm(modules) {
  const script = process.env.npm_execpath;
  const inside = (file) => file.startsWith(modules + sep);
  const node = [process.env.npm_node_execpath, process.execPath].find((file) => file && !inside(file));
  if (script && node && existsSync(script) && /npm[^/\\]*\.c?js$/.test(script)) return [node, script];
  const path = (process.env.PATH ?? '').split(':').filter((directory) => !inside(`${directory}${sep}`));
  return ['env', `PATH=${path.join(':')}`, 'npm'];
}

/** npm 9 loses the link: two packages have a `node`, and it removes the other architecture's after it made the link. */
function linkNode(modules) {
  const name = `node-linux-${process.arch}`;
  const link = join(modules, '.bin', 'node');
  if (existsSync(join(modules, name)) && !existsSync(link)) symlinkSync(join('..', name, 'bin', 'node'), link);
}

/**
 * Checks that the Node which npm scripts and `.bin` programs get is the wanted one; throws SetupError when not.
 * @param {string} root folder of package.json
 * @param {(line: string) => void} log
 */
export function checkNode(root, log) {
  const own = join(root, 'node_modules', '.bin', 'node');
  linkNode(join(root, 'node_modules'));
  // Where the packaged Node does not exist (another architecture), npm scripts get the first on PATH.
  const program = existsSync(own) ? own : 'node';
  const { ok, stdout } = run([program, '-p', 'process.version'], { quiet: true });
  const version = stdout.trim();
  if (ok && Number(/^v(\d+)\./.exec(version)?.[1]) >= NODE_MAJOR) {
    log(`node: ${version}`);
    return;
  }
  throw new SetupError(
    `Node ${NODE_MAJOR} is needed; ${program} ${ok ? `is ${version}` : 'does not run on this machine'} (${process.platform} ${process.arch}). ` +
      `The dependencies bring it for x64 and arm64 Linux with glibc; elsewhere install Node ${NODE_MAJOR} and put it first on PATH.`,
  );
}
