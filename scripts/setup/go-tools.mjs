// Test tools that exist as Go modules only.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, findProgram, run, SetupError } from './machine.mjs';

/** The newest release that Debian 12's Go (1.19) and Ubuntu 22.04's (1.18) build. */
const CRANE_VERSION = 'v0.20.0';
const CRANE_MODULE = 'github.com/google/go-containerregistry/cmd/crane';
const GO_MINOR = 18;

/** Where crane lies once it is there. */
export function cranePath() {
  return join(cacheDirectory(), 'bin', 'crane');
}

/** Whether crane is there in the wanted version: Go writes the module's version into the program. */
export function craneReady() {
  return existsSync(cranePath()) && readFileSync(cranePath()).includes(`go-containerregistry\t${CRANE_VERSION}\t`);
}

/**
 * Builds crane into the cache unless it is there. Throws SetupError when Go is missing or too old, or the build fails.
 * @param {(line: string) => void} log
 */
export function ensureCrane(log) {
  if (!craneReady()) build(log);
  log(`crane: ${CRANE_VERSION}`);
}

function build(log) {
  const go = findProgram('go') ?? ['/usr/local/go/bin/go'].find((file) => existsSync(file));
  const version = go === undefined ? '' : run([go, 'version'], { quiet: true }).stdout;
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  if (go === undefined || (Number(major) === 1 && Number(minor) < GO_MINOR)) {
    const found = go === undefined ? 'there is none on PATH' : `${go} is ${version.trim()}`;
    throw new SetupError(
      `Go 1.${GO_MINOR} or newer is needed to build crane; ${found}. Install it (Debian: golang-go).`,
    );
  }
  log(`crane: go install ${CRANE_MODULE}@${CRANE_VERSION}`);
  const directory = join(cacheDirectory(), 'bin');
  mkdirSync(directory, { recursive: true });
  const draft = mkdtempSync(join(directory, '.draft-'));
  try {
    // In the temporary place first: another run may be calling the program that this one replaces.
    const install = run([go, 'install', `${CRANE_MODULE}@${CRANE_VERSION}`], {
      quiet: true,
      env: { GOBIN: draft, GOFLAGS: '' },
      cwd: draft,
    });
    if (!install.ok)
      throw new SetupError(`go install failed:\n${install.stderr.trim().split('\n').slice(-12).join('\n')}`);
    renameSync(join(draft, 'crane'), cranePath());
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
