// A Go that is new enough: the machine's own, or one that it fetches.
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, findProgram, run, SetupError } from './machine.mjs';

/** What an older Go is told to fetch: Debian 12 has 1.19, Ubuntu 24.04 has 1.22. */
const NEWER = '1.26.8';

/** The oldest Go that knows modules as they are fetched here. */
const OLDEST_MINOR = 18;

const ARCHITECTURE = { x64: 'amd64', arm64: 'arm64' }[process.arch];

/**
 * A Go of at least 1.`minor`, and what must stand in its environment.
 * @param {string} tool what is to be built, for messages
 * @param {number} minor
 * @param {(line: string) => void} log
 * @returns {{ go: string, env: Record<string, string> }}
 */
export function goFor(tool, minor, log) {
  const go = findProgram('go') ?? ['/usr/local/go/bin/go'].find((file) => existsSync(file));
  const version = go === undefined ? '' : run([go, 'version'], { quiet: true }).stdout.trim();
  const found = Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0);
  if (go === undefined || found < OLDEST_MINOR) {
    const problem = go === undefined ? 'there is none on PATH' : `${go} is ${version}`;
    throw new SetupError(
      `Go 1.${OLDEST_MINOR} or newer is needed to build ${tool}; ${problem}. Install it (Debian: golang-go).`,
    );
  }
  if (found >= minor) return { go, env: {} };
  return fetchNewer(go, `${tool} needs Go 1.${minor} or newer and ${go} is ${version}`, log);
}

/**
 * Go's own distribution is a module too (golang.org/toolchain), checked against Go's checksum database like every other.
 * Go from 1.21 on would fetch it by itself, older ones when they are told.
 * @param {string} old
 * @param {string} why
 * @param {(line: string) => void} log
 */
function fetchNewer(old, why, log) {
  log(`go: ${why}; fetching Go ${NEWER}`);
  const module = `golang.org/toolchain@v0.0.1-go${NEWER}.linux-${ARCHITECTURE}`;
  const directory = join(cacheDirectory(), 'bin');
  mkdirSync(directory, { recursive: true });
  const fetched = run([old, 'mod', 'download', '-json', module], {
    quiet: true,
    // A folder without go.mod; and the old Go must not replace itself to fetch this.
    cwd: directory,
    env: { GOFLAGS: '', GOTOOLCHAIN: 'local' },
  });
  const answer = fetched.stdout.startsWith('{') ? JSON.parse(fetched.stdout) : {};
  if (!fetched.ok || typeof answer.Dir !== 'string') {
    throw new SetupError(
      `${why}, and Go ${NEWER} cannot be fetched: ${String(answer.Error ?? fetched.stderr).trim()}\nInstall a newer Go.`,
    );
  }
  makeExecutable(answer.Dir);
  return { go: join(answer.Dir, 'bin/go'), env: { GOTOOLCHAIN: 'local', GOROOT: '' } };
}

/**
 * Modules carry no modes.
 * @param {string} root
 */
function makeExecutable(root) {
  for (const folder of ['bin', join('pkg/tool', `linux_${ARCHITECTURE}`)]) {
    for (const name of readdirSync(join(root, folder))) chmodSync(join(root, folder, name), 0o755);
  }
}
