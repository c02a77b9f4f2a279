// The dependencies from package-lock.json, and with them the Node that everything after set-up runs on.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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
  // Node 24 itself is an optional dependency and the tools are development ones: a user's npm settings may leave out both.
  const args = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--include=dev',
    '--include=optional',
  ];
  if (!run([...npm(modules), ...args], { cwd: root }).ok) throw new SetupError('npm ci failed; its messages are above');
  writeFileSync(stamp, lock);
}

/** npm 9 loses the link: two packages have a `node`, and it removes the other architecture's after it made the link. */
function linkNode(modules) {
  const name = `node-linux-${process.arch}`;
  const link = join(modules, '.bin', 'node');
  if (existsSync(join(modules, name)) && !existsSync(link)) symlinkSync(join('..', name, 'bin', 'node'), link);
}

/** npm as it was called; never by a Node inside `modules`, which npm ci takes away. */
function npm(modules) {
  const script = process.env.npm_execpath;
  const inside = (file) => file.startsWith(modules + sep);
  const node = [process.env.npm_node_execpath, process.execPath].find((file) => file && !inside(file));
  if (script && node && existsSync(script) && /npm[^/\\]*\.c?js$/.test(script)) return [node, script];
  const path = (process.env.PATH ?? '').split(':').filter((directory) => !inside(`${directory}${sep}`));
  return ['env', `PATH=${path.join(':')}`, 'npm'];
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
