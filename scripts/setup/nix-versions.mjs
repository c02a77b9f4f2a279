// Newer releases of Nix from newer Debian suites, unpacked beside the machine's own and never installed: the tests
// run against all of them. Plain JavaScript, because set-up runs before Node 24 is there.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian suites whose Nix the tests run beside the machine's own. */
export const SUITES = ['trixie', 'sid'];

/** One suite is about 96 packages and 40 MB; slower than this means that the mirror hangs. */
const STEP_TIMEOUT_MS = 300_000;

/** Bytes of the largest package that may be unpacked; nix-bin's largest dependency has 60 MB. */
const PACKAGE_LIMIT = 1 << 28;

const MACHINE = {
  x64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

/** Names that the one binary answers to by its argv[0]. */
const COMMANDS = ['nix', 'nix-build', 'nix-channel', 'nix-copy-closure', 'nix-env', 'nix-instantiate', 'nix-store'];

function cacheDir() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nix-images', 'nix');
}

/** Why the last attempt at a suite failed, for the titles of the tests that then cannot run. */
const reasonFile = (suite) => join(cacheDir(), `${suite}.unavailable`);

/**
 * What is there now, without fetching anything.
 * @returns {Array<{ suite: string, binDir: string } | { suite: string, reason: string }>}
 */
export function findNixVersions() {
  return SUITES.map((suite) => {
    const binDir = join(cacheDir(), suite, 'bin');
    if (existsSync(join(binDir, 'nix'))) return { suite, binDir };
    if (existsSync(reasonFile(suite))) return { suite, reason: readFileSync(reasonFile(suite), 'utf8') };
    return { suite, reason: `Nix of Debian ${suite} is not unpacked; run node scripts/setup.mjs test` };
  });
}

/**
 * Makes sure that each suite's Nix is unpacked. Never fails: a suite that cannot be had is returned with the reason.
 * @param {(text: string) => void} log
 * @returns {Promise<Array<{ suite: string, binDir: string } | { suite: string, reason: string }>>}
 */
export async function ensureNixVersions(log) {
  return Promise.all(SUITES.map((suite) => ensureSuite(suite, log)));
}

async function ensureSuite(suite, log) {
  const target = join(cacheDir(), suite);
  const binDir = join(target, 'bin');
  try {
    if (await works(binDir)) return { suite, binDir };
    await mkdir(cacheDir(), { recursive: true });
    await fetchSuite(suite, target, log);
    if (!(await works(binDir))) throw new Error('it does not run on this machine');
    await rm(reasonFile(suite), { force: true });
    return { suite, binDir };
  } catch (error) {
    const reason = `Nix of Debian ${suite} cannot be had: ${firstLines(error)}`;
    log(reason);
    // It would be taken for a finished one.
    await rm(target, { recursive: true, force: true });
    await writeFile(reasonFile(suite), reason).catch(() => undefined);
    return { suite, reason };
  }
}

async function fetchSuite(suite, target, log) {
  const source = debianSource();
  const work = await mkdtemp(join(cacheDir(), `.${suite}-`));
  try {
    log(`unpacking Nix of Debian ${suite} into ${target}`);
    await unpack(suite, source, work, target);
    await moveIntoPlace(join(work, 'tree'), target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function works(binDir) {
  if (!existsSync(join(binDir, 'nix'))) return false;
  return run(join(binDir, 'nix'), ['--version'], { timeout: 20_000 }).then(
    () => true,
    () => false,
  );
}

/** Another process may have been faster; its tree is as good as ours. */
async function moveIntoPlace(tree, target) {
  if (existsSync(target) && !(await works(join(target, 'bin')))) await rm(target, { recursive: true, force: true });
  try {
    await rename(tree, target);
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY'].includes(error.code)) throw error;
  }
}

async function unpack(suite, source, work, target) {
  const machine = MACHINE[process.arch];
  if (!machine) throw new Error(`no Debian packages for ${process.arch}`);
  const archives = await download(suite, source, work);
  const root = join(work, 'tree', 'root');
  await mkdir(root, { recursive: true });
  for (const name of (await readdir(archives)).sort()) {
    if (name.endsWith('.deb')) await unpackPackage(join(archives, name), root, work);
  }
  const libraries = join(target, 'root', 'usr', 'lib', machine.triplet);
  // Its own loader and libraries, by the place they will have: the machine's are older. Running it through the
  // loader instead would break builds, for nix starts itself again through /proc/self/exe.
  const patch = ['--set-interpreter', join(libraries, machine.loader), '--force-rpath', '--set-rpath', libraries];
  await run('patchelf', [...patch, join(root, 'usr', 'bin', 'nix')]);
  const bin = join(work, 'tree', 'bin');
  await mkdir(bin);
  for (const command of COMMANDS) await symlink(join('..', 'root', 'usr', 'bin', 'nix'), join(bin, command));
}

/** In two steps, so that no shell is needed and a damaged package is noticed. */
async function unpackPackage(archive, root, work) {
  const options = { encoding: 'buffer', maxBuffer: PACKAGE_LIMIT };
  const { stdout } = await run('dpkg-deb', ['--fsys-tarfile', archive], options);
  const tarball = join(work, 'package.tar');
  await writeFile(tarball, stdout);
  // Two trees meet here, and /lib may be a link in one and a folder in the other.
  await run('tar', ['-C', root, '-xf', tarball, '--keep-directory-symlink']);
}

/** Lists, locks and archives of apt's own, below `work`: the system's state is neither read nor changed. */
async function download(suite, source, work) {
  const state = join(work, 'apt');
  const archives = join(state, 'archives');
  for (const dir of ['lists/partial', 'archives/partial', 'preferences'])
    await mkdir(join(state, dir), { recursive: true });
  const signedBy = source.signedBy ? ` [signed-by=${source.signedBy}]` : '';
  await writeFile(join(state, 'sources.list'), `deb${signedBy} ${source.uri} ${suite} main\n`);
  await writeFile(join(state, 'status'), '');
  const config = join(state, 'apt.conf');
  await writeFile(config, aptConfig(state, suite));
  const options = { env: { ...process.env, APT_CONFIG: config }, timeout: STEP_TIMEOUT_MS, maxBuffer: 1 << 26 };
  await run('apt-get', ['--quiet=2', '--error-on=any', 'update'], options);
  await run(
    'apt-get',
    ['--quiet=2', '-y', '--no-install-recommends', '--download-only', 'install', 'nix-bin'],
    options,
  );
  return archives;
}

function aptConfig(state, suite) {
  const settings = {
    'Dir::State': state,
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': state,
    'Dir::Cache::archives': join(state, 'archives'),
    'Dir::Etc::sourcelist': join(state, 'sources.list'),
    'Dir::Etc::sourceparts': join(state, 'none'),
    'Dir::Etc::preferences': join(state, 'none'),
    'Dir::Etc::preferencesparts': join(state, 'preferences'),
    'APT::Default-Release': suite,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} "${value}";\n`)
    .join('');
}

/** The archive that this machine itself uses, with its keyring. Throws when it is no Debian. */
export function debianSource(etc = '/etc') {
  const release = readFileSync(join(etc, 'os-release'), 'utf8');
  if (!/^ID=("?)debian\1$/m.test(release))
    throw new Error('this machine is no Debian, so its archive has no such suite');
  const codename = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  for (const file of sourceFiles(join(etc, 'apt'))) {
    const text = readFileSync(file, 'utf8');
    const entries = file.endsWith('.sources') ? deb822Sources(text) : oneLineSources(text);
    const found = entries.find((entry) => isMainArchive(entry, codename));
    if (found) return { uri: found.uris[0], signedBy: found.signedBy };
  }
  throw new Error('no Debian archive stands in the sources of apt');
}

function sourceFiles(apt) {
  const parts = join(apt, 'sources.list.d');
  const names = existsSync(parts) ? readdirSync(parts).sort() : [];
  const files = names.filter((name) => /\.(list|sources)$/.test(name)).map((name) => join(parts, name));
  return [join(apt, 'sources.list'), ...files].filter((file) => existsSync(file));
}

/** The archive itself, not its security updates, whose pool lacks most packages. */
function isMainArchive({ types, uris, suites, components }, codename) {
  const known = [codename, 'stable', 'testing', 'unstable', ...SUITES];
  return (
    types.includes('deb') && uris.length > 0 && components.includes('main') && suites.some((s) => known.includes(s))
  );
}

/** sources.list(5), DEB822-STYLE FORMAT. */
export function deb822Sources(text) {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n\s*\n/)
    .map((stanza) => {
      const fields = {};
      for (const line of stanza.replace(/\n[ \t]+/g, ' ').split('\n')) {
        const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
        if (match) fields[match[1].toLowerCase()] = match[2].trim();
      }
      const words = (name) => (fields[name] ?? '').split(/\s+/).filter(Boolean);
      return {
        types: fields.enabled === 'no' ? [] : words('types'),
        uris: words('uris'),
        suites: words('suites'),
        components: words('components'),
        // An embedded key would not fit into the one-line form that is written from this.
        signedBy: words('signed-by').find((word) => word.startsWith('/')),
      };
    });
}

/** sources.list(5), ONE-LINE-STYLE FORMAT. */
export function oneLineSources(text) {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(deb(?:-src)?)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) return [];
    const [, type, options = '', uri, suite, components] = match;
    const signedBy = /(?:^|\s)signed-by=(\/[^\s,]+)/i.exec(options)?.[1];
    return [{ types: [type], uris: [uri], suites: [suite], components: components.trim().split(/\s+/), signedBy }];
  });
}

function firstLines(error) {
  const text = String(error?.stderr || error?.message || error).trim();
  return text.split('\n').slice(0, 4).join('; ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const result of await ensureNixVersions((text) => console.error(text))) console.log(JSON.stringify(result));
}
