// The programs that the demo, the tests and the benchmark call, and the Debian or Ubuntu packages that have them.
import { accessSync, closeSync, constants, existsSync, openSync, readSync } from 'node:fs';
import { binfmtReady } from './binfmt.mjs';
import { goToolsReady } from './go-tools.mjs';
import { findProgram } from './machine.mjs';
import { pythonToolsPossible } from './python-tools.mjs';

const ALL = ['demo', 'test', 'bench'];
const BOTH = ['demo', 'test'];
const TEST = ['test'];
const WITH_PEERS = ['test', 'bench'];
const BENCH = ['bench'];

/** Names of the static qemu for the other architecture: Debian's until 12 and Ubuntu's, then Debian's. */
const QEMU =
  { x64: ['qemu-aarch64-static', 'qemu-aarch64'], arm64: ['qemu-x86_64-static', 'qemu-x86_64'] }[process.arch] ?? [];

/**
 * @typedef {object} Requirement
 * @property {string} name what to install where there is no apt
 * @property {readonly string[]} packages alternatives: the first that apt has is installed
 * @property {readonly string[]} modes
 * @property {(mode: string) => boolean} [present] unless the program `name` alone says so
 */

/** @type {readonly Requirement[]} */
const REQUIREMENTS = [
  { name: 'nix', packages: ['nix-bin'], modes: ALL },
  { name: 'git', packages: ['git'], modes: ALL },
  { name: 'dpkg-deb', packages: ['dpkg'], modes: ALL },
  { name: 'flock', packages: ['util-linux'], modes: ALL },
  { name: 'CA certificates', packages: ['ca-certificates'], modes: ALL, present: haveCertificates },
  { name: 'podman', packages: ['podman'], modes: BOTH },
  // podman's default runtime fails where cgroups are of version 1 or mixed; this one does not.
  { name: 'runc', packages: ['runc'], modes: BOTH },
  // Ubuntu 22.04's podman is older than netavark.
  { name: 'netavark', packages: ['netavark', 'containernetworking-plugins'], modes: BOTH, present: haveNetwork },
  { name: 'iptables', packages: ['iptables'], modes: BOTH },
  { name: 'busybox (static)', packages: ['busybox-static'], modes: BOTH, present: haveStaticBusybox },
  // Debian 13 renamed it; either registers qemu with the F flag.
  { name: 'qemu-user (static)', packages: ['qemu-user-static', 'qemu-user-binfmt'], modes: BOTH, present: haveQemu },
  { name: 'update-binfmts', packages: ['binfmt-support'], modes: BOTH, present: haveBinfmts },
  { name: 'skopeo', packages: ['skopeo'], modes: WITH_PEERS },
  { name: 'docker-registry', packages: ['docker-registry'], modes: WITH_PEERS },
  // What judges the disks that are read and written; qemu-io comes with the first.
  { name: 'qemu-img', packages: ['qemu-utils'], modes: TEST },
  // What boots disks, and the firmware with which it does, of both systems.
  { name: 'qemu-system-x86_64', packages: ['qemu-system-x86'], modes: TEST },
  { name: 'qemu-system-aarch64', packages: ['qemu-system-arm'], modes: TEST },
  { name: 'OVMF', packages: ['ovmf'], modes: TEST, present: () => existsSync('/usr/share/OVMF') },
  { name: 'AAVMF', packages: ['qemu-efi-aarch64'], modes: TEST, present: () => existsSync('/usr/share/AAVMF') },
  { name: 'sgdisk', packages: ['gdisk'], modes: TEST },
  // What fills the system partitions of disks.
  { name: 'mkfs.vfat', packages: ['dosfstools'], modes: TEST },
  { name: 'mcopy', packages: ['mtools'], modes: TEST },
  { name: 'sfdisk', packages: ['fdisk'], modes: TEST },
  { name: 'patchelf', packages: ['patchelf'], modes: TEST },
  // Reads the file systems that are written, as their own tools see them.
  { name: 'fsck.erofs', packages: ['erofs-utils'], modes: WITH_PEERS },
  // veritysetup, whose hash trees are compared with ours.
  { name: 'veritysetup', packages: ['cryptsetup-bin'], modes: TEST },
  { name: 'setcap', packages: ['libcap2-bin'], modes: TEST },
  {
    name: 'go',
    packages: ['golang-go'],
    modes: WITH_PEERS,
    present: (mode) => goToolsReady(mode === 'full') || findProgram('go') !== undefined,
  },
  { name: 'time', packages: ['time'], modes: BENCH },
  { name: 'igzip', packages: ['isal'], modes: WITH_PEERS },
  { name: 'pigz', packages: ['pigz'], modes: WITH_PEERS },
  { name: 'zstd', packages: ['zstd'], modes: WITH_PEERS },
  { name: 'xz', packages: ['xz-utils'], modes: TEST },
  { name: 'openssl', packages: ['openssl'], modes: WITH_PEERS },
  { name: 'buildah', packages: ['buildah'], modes: BENCH },
  { name: 'casync', packages: ['casync'], modes: BENCH },
  { name: 'umoci', packages: ['umoci'], modes: BENCH },
  { name: 'python3 with venv', packages: ['python3-venv'], modes: TEST, present: pythonToolsPossible },
  // podman without root maps user ids and networks by helpers.
  ...(process.getuid?.() === 0
    ? []
    : [
        { name: 'newuidmap', packages: ['uidmap'], modes: BOTH },
        { name: 'slirp4netns', packages: ['slirp4netns'], modes: BOTH },
      ]),
];

/**
 * What of `mode`'s requirements this machine lacks. Looks at files only, so it takes milliseconds.
 * @param {string} mode
 * @returns {Requirement[]}
 */
export function missingRequirements(mode) {
  const present = (requirement) => requirement.present?.(mode) ?? findProgram(requirement.name) !== undefined;
  // The full tests call what the tests call, and more of the Go tools.
  const needs = mode === 'full' ? 'test' : mode;
  return REQUIREMENTS.filter((requirement) => requirement.modes.includes(needs) && !present(requirement));
}

function haveCertificates() {
  const bundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem'];
  return bundles.some((file) => existsSync(file));
}

function haveNetwork() {
  return (
    findProgram('netavark') !== undefined || existsSync('/usr/lib/cni/bridge') || existsSync('/opt/cni/bin/bridge')
  );
}

/** Registered by whoever (a container's host has qemu, not the container), or here to be registered. */
function haveQemu() {
  return binfmtReady() || QEMU.some((name) => findProgram(name) !== undefined);
}

function haveBinfmts() {
  return binfmtReady() || findProgram('update-binfmts') !== undefined;
}

/** A static program names no loader in its first page, where linkers put that name. */
function haveStaticBusybox() {
  const file = findProgram('busybox');
  if (file === undefined) return false;
  const head = Buffer.alloc(4096);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return !/\/ld-(linux|musl)/.test(head.toString('latin1'));
}

/** Whether this user may write to the Nix store, directly or through the daemon. */
export function nixStoreUsable() {
  return ['/nix/var/nix/daemon-socket/socket', '/nix/var/nix/db'].some(writable) || process.getuid?.() === 0;
}

function writable(file) {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
