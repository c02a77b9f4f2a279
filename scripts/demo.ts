// npm run demo: publishes a Python image for both systems, tested, into out/demo, and says how to run it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { debianPackages } from '../test/fixtures/debian/generate.ts';
import { CONFINED_CONTAINERS_CONF, type Podman, preparePodman } from '../test/support/podman.ts';
import { nixConfig } from './setup/nix-config.mjs';

const root = dirname(import.meta.dirname);
const layout = join(root, 'out/demo');
const PLATFORMS = ['linux/amd64', 'linux/arm64'];

/** What the image is made of, under Debian's names. */
const PACKAGES = ['bash', 'ca-certificates', 'netbase', 'patchelf', 'python3', 'tini', 'tzdata'];

/** Shows which machine Python runs on, and that its C modules and arithmetic work. */
const PROGRAM =
  'import platform, hashlib; print(platform.machine(), "Python", platform.python_version(), hashlib.sha256(str(2**521 - 1).encode()).hexdigest())';

const log = (line: string): void => console.error(`demo: ${line}`);

/** A word as a shell reads it back unchanged. */
const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);

/** `nix-images publish`, from source, as a user would call it. Gives its exit code. */
async function publish(destination: string, nixpkgs: string, podman: Podman | undefined): Promise<number> {
  const nixArguments = ['--override-input', 'nixpkgs', `path:${nixpkgs}`, '--no-write-lock-file'];
  const args = ['publish', '.#python', '--to', destination, ...nixArguments.map((argument) => `--nix-arg=${argument}`)];
  log(`nix-images ${args.map(quote).join(' ')}`);
  const env = { ...process.env, ...podman?.env, NIX_CONFIG: nixConfig() };
  const child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], { cwd: root, env, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
}

/** A podman of its own, for the tests of the image; undefined where none works, and then they are left out. */
const findPodman = (): Promise<Podman | undefined> =>
  preparePodman().catch((error: unknown) => {
    log(`the lines below may not work here: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });

/** What must stand before `podman` for containers to run on this machine; usually nothing. */
async function podmanPrefix(podman: Podman | undefined): Promise<string> {
  if (!podman?.confined) return '';
  const file = join(root, 'out/demo-containers.conf');
  await writeFile(file, CONFINED_CONTAINERS_CONF);
  return `CONTAINERS_CONF=${quote(file)} `;
}

async function demo(): Promise<number> {
  await mkdir(join(root, 'out'), { recursive: true });
  log('python3 from Debian packages takes the place of nixpkgs');
  const nixpkgs = await debianPackages({ packages: PACKAGES, log });
  const destination = `oci:${layout}:latest`;
  const podman = await findPodman();
  const code = await publish(destination, nixpkgs, podman).finally(() => podman?.remove());
  if (code !== 0) return code;
  const prefix = await podmanPrefix(podman);
  console.log(`\nThe image is at ${destination}\nRun it:`);
  for (const platform of PLATFORMS) {
    const args = ['run', '--rm', '--platform', platform, destination, 'python3', '-c', PROGRAM];
    console.log(`${prefix}podman ${args.map(quote).join(' ')}`);
  }
  return 0;
}

process.exitCode = await demo().catch((error: unknown) => {
  // What goes wrong here is apt's or the machine's doing; its text says more than a stack.
  log(error instanceof Error ? error.message : String(error));
  return 1;
});
