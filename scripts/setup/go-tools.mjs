// Test tools that exist as Go modules only.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goFor } from './go.mjs';
import { cacheDirectory, run, SetupError } from './machine.mjs';

/**
 * @typedef {object} GoTool
 * @property {string} name
 * @property {string} module
 * @property {string} program the package in the module that is the program; the module itself where it is empty
 * @property {string} version
 * @property {number} goMinor the oldest Go 1.x that builds it
 * @property {boolean} [isFull] whether only the full tests call it
 * @property {URL} [source] where the program lies that calls the module; without it, it is in the module
 * @property {string} [tags] of the build, by commas
 */

/** @type {readonly GoTool[]} */
const TOOLS = [
  // The newest release that Debian 12's Go (1.19) and Ubuntu 22.04's (1.18) build.
  {
    name: 'crane',
    module: 'github.com/google/go-containerregistry',
    program: '/cmd/crane',
    version: 'v0.20.0',
    goMinor: 18,
  },
  // Runs workflows on this machine.
  { name: 'act', module: 'github.com/nektos/act', program: '', version: 'v0.2.89', goMinor: 25 },
  {
    name: 'actionlint',
    module: 'github.com/rhysd/actionlint',
    program: '/cmd/actionlint',
    version: 'v1.7.12',
    goMinor: 25,
  },
  // CNCF distribution. It takes minutes to build.
  {
    name: 'registry',
    module: 'github.com/distribution/distribution/v3',
    program: '/cmd/registry',
    version: 'v3.1.2',
    goMinor: 25,
    isFull: true,
  },
  // Asks containerd for images as a kubelet does.
  {
    name: 'crictl',
    module: 'sigs.k8s.io/cri-tools',
    program: '/cmd/crictl',
    version: 'v1.34.0',
    goMinor: 24,
    isFull: true,
  },
  // Pulls as podman and CRI-O do. Without C: no GPGME and no btrfs, which it does not need here.
  {
    name: 'partial-pull',
    module: 'go.podman.io/image/v5',
    program: '',
    version: 'v5.42.1',
    goMinor: 26,
    isFull: true,
    source: new URL('../../test/fixtures/partial-pull/', import.meta.url),
    tags: 'containers_image_openpgp,exclude_graphdriver_btrfs',
  },
];

/** @param {boolean} isFull */
const wanted = (isFull) => TOOLS.filter((tool) => isFull || !tool.isFull);

/** @param {string} name */
const pathOf = (name) => join(cacheDirectory(), 'bin', name);

/**
 * Where a tool lies; one that is built from here has another name when it is another.
 * @param {GoTool} tool
 */
function fileOf({ name, source }) {
  if (source === undefined) return pathOf(name);
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod']) hash.update(readFileSync(new URL(file, source)));
  return pathOf(`${name}-${hash.digest('hex').slice(0, 12)}`);
}

/** @param {string} name */
function toolOf(name) {
  const tool = TOOLS.find((each) => each.name === name);
  if (tool === undefined) throw new Error(`no tool ${name}`);
  return tool;
}

/** Where crane lies once it is there. */
export const cranePath = () => pathOf('crane');

/** Where act lies once it is there. */
export const actPath = () => pathOf('act');

/** Where actionlint lies once it is there. */
export const actionlintPath = () => pathOf('actionlint');

/** Where distribution 3 lies once it is there. */
export const distributionPath = () => pathOf('registry');

/** Where crictl lies once it is there. */
export const crictlPath = () => pathOf('crictl');

/** Where what pulls as podman does lies once it is there. */
export const partialPullPath = () => fileOf(toolOf('partial-pull'));

/**
 * Whether a tool is there in the wanted version: Go writes the module's version into the program.
 * @param {GoTool} tool
 */
function ready(tool) {
  const { module, version, source } = tool;
  const file = fileOf(tool);
  const kind = source === undefined ? 'mod' : 'dep';
  return existsSync(file) && readFileSync(file).includes(`${kind}\t${module}\t${version}\t`);
}

/**
 * Whether every tool is there.
 * @param {boolean} isFull whether those of the full tests are wanted too
 */
export function goToolsReady(isFull) {
  return wanted(isFull).every(ready);
}

/**
 * Builds into the cache what is not there. Throws SetupError when there is no Go, or a build fails.
 * @param {boolean} isFull whether those of the full tests are wanted too
 * @param {(line: string) => void} log
 */
export function ensureGoTools(isFull, log) {
  for (const tool of wanted(isFull)) {
    if (!ready(tool)) build(tool, log);
    log(`${tool.name}: ${tool.version}`);
  }
}

/**
 * Builds what pulls as podman does, where it is not there: for the benchmark, which needs no other of the full tests' tools.
 * Throws SetupError as `ensureGoTools` does.
 * @param {(line: string) => void} log
 */
export function ensurePartialPull(log) {
  const tool = toolOf('partial-pull');
  if (!ready(tool)) build(tool, log);
}

/**
 * @param {GoTool} tool
 * @param {(line: string) => void} log
 */
function build(tool, log) {
  const { name, module, program, version, goMinor, source, tags = '' } = tool;
  const { go, env } = goFor(name, goMinor, log);
  log(`${name}: ${source === undefined ? `go install ${module}${program}` : `go build with ${module}`}@${version}`);
  const directory = join(cacheDirectory(), 'bin');
  mkdirSync(directory, { recursive: true });
  const draft = mkdtempSync(join(directory, '.draft-'));
  try {
    // In the temporary place first: another run may be calling the program that this one replaces.
    const words =
      source === undefined
        ? ['install', `${module}${program}@${version}`]
        : ['build', '-trimpath', '-ldflags=-s -w', `-tags=${tags}`, `-o=${join(draft, name)}`, '.'];
    const made = run([go, ...words], {
      quiet: true,
      env: { ...env, GOBIN: draft, GOFLAGS: '', ...(source === undefined ? {} : { CGO_ENABLED: '0' }) },
      cwd: source === undefined ? draft : fileURLToPath(source),
    });
    if (!made.ok)
      throw new SetupError(`go ${words[0]} failed:\n${made.stderr.trim().split('\n').slice(-12).join('\n')}`);
    renameSync(join(draft, name), fileOf(tool));
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
