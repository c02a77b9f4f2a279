// Test tools that exist as Go modules only.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
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
];

/** @param {boolean} isFull */
const wanted = (isFull) => TOOLS.filter((tool) => isFull || !tool.isFull);

/** @param {string} name */
const pathOf = (name) => join(cacheDirectory(), 'bin', name);

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

/**
 * Whether a tool is there in the wanted version: Go writes the module's version into the program.
 * @param {GoTool} tool
 */
function ready({ name, module, version }) {
  return existsSync(pathOf(name)) && readFileSync(pathOf(name)).includes(`mod\t${module}\t${version}\t`);
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
 * @param {GoTool} tool
 * @param {(line: string) => void} log
 */
function build({ name, module, program, version, goMinor }, log) {
  const { go, env } = goFor(name, goMinor, log);
  log(`${name}: go install ${module}${program}@${version}`);
  const directory = join(cacheDirectory(), 'bin');
  mkdirSync(directory, { recursive: true });
  const draft = mkdtempSync(join(directory, '.draft-'));
  try {
    // In the temporary place first: another run may be calling the program that this one replaces.
    const install = run([go, 'install', `${module}${program}@${version}`], {
      quiet: true,
      env: { ...env, GOBIN: draft, GOFLAGS: '' },
      cwd: draft,
    });
    if (!install.ok)
      throw new SetupError(`go install failed:\n${install.stderr.trim().split('\n').slice(-12).join('\n')}`);
    renameSync(join(draft, name), pathOf(name));
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
