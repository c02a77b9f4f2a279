// Missing Debian or Ubuntu packages.
import { asRoot, findProgram, run, SetupError } from './machine.mjs';

/** A source that does not answer must not hold up the others, and another apt may be at work for a while. */
const OPTIONS = [
  ...['Acquire::Retries=1', 'Acquire::http::Timeout=20', 'Acquire::https::Timeout=20', 'DPkg::Lock::Timeout=300'],
].flatMap((option) => ['-o', option]);

/**
 * Installs one package of each requirement. Throws SetupError when that fails, needs a password, or there is no apt.
 * @param {readonly import('./requirements.mjs').Requirement[]} missing
 * @param {(line: string) => void} log
 */
export function installMissing(missing, log) {
  const names = missing.map((requirement) => requirement.name);
  if (findProgram('apt-get') === undefined) {
    throw new SetupError(
      `these programs are missing and there is no apt-get to install them with: ${names.join(', ')}`,
    );
  }
  log(`packages: missing ${names.join(', ')}`);
  // Asked for before anything is fetched, so that a machine without root is told the one line that helps.
  asRoot(['apt-get', 'install', '-y', '--no-install-recommends', ...missing.map(({ packages }) => packages[0])]);
  log('packages: apt-get update');
  const update = aptGet(['update', '-qq']);
  // Often a source that has nothing to do with the missing packages: installing them is what decides.
  if (!update.ok) log(`packages: apt-get update failed in part: ${lastLines(update, 2)}`);
  const wanted = missing.map(({ packages }) => available(packages));
  log(`packages: installing ${wanted.join(' ')}`);
  const install = aptGet(['install', '-y', '-qq', '--no-install-recommends', ...wanted]);
  if (!install.ok) throw new SetupError(`apt-get could not install ${wanted.join(' ')}:\n${lastLines(install, 12)}`);
}

function aptGet(args) {
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_MODE=l', 'LC_ALL=C.UTF-8'];
  return run(asRoot([...environment, 'apt-get', ...OPTIONS, ...args]), { quiet: true });
}

const lastLines = ({ stdout, stderr }, count) => `${stdout}${stderr}`.trim().split('\n').slice(-count).join('\n');

/** The first of `packages` that apt knows a version of; the first at all when it knows none, for apt's own message. */
function available(packages) {
  if (packages.length === 1) return packages[0];
  const known = (name) => {
    const { stdout } = run(['env', 'LC_ALL=C', 'apt-cache', 'policy', name], { quiet: true });
    return /Candidate: (?!\(none\))/.test(stdout);
  };
  return packages.find(known) ?? packages[0];
}
