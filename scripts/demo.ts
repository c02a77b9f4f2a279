// npm run demo: publishes a Python image for both systems, tested, into demo-out/python, and says how to run it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { shellWord } from '../src/core/shell.ts';
import { debianPackages } from '../test/fixtures/debian/generate.ts';
import { CONFINED_CONTAINERS_CONF, type Podman, preparePodman } from '../test/support/podman.ts';
import { runLines } from './demo-lines.ts';
import { nixConfig } from './setup/nix-config.mjs';

const root = dirname(import.meta.dirname);

/** A folder of the demo's own: `out` is what people write after `--to oci:` themselves. */
const FOLDER = 'demo-out';

/**
 * Relative to the checkout: podman makes a name of an image from the path as it is written, and names have no capitals, which
 * the path of a checkout may have.
 */
const DESTINATION = `oci:${FOLDER}/python:latest`;

/** What the image is made of, under Debian's names. */
const PACKAGES = ['bash', 'ca-certificates', 'netbase', 'patchelf', 'python3', 'tini', 'tzdata'];

/** Shows which machine Python runs on, and that its C modules and arithmetic work. */
const PROGRAM =
  'import platform, hashlib; print(platform.machine(), "Python", platform.python_version(), hashlib.sha256(str(2**521 - 1).encode()).hexdigest())';

const log = (line: string): void => console.error(`demo: ${line}`);

/** `nix-images publish`, from source, as a user would call it. Gives its exit code. */
async function publish(nixpkgs: string, podman: Podman | undefined): Promise<number> {
  const nixArguments = ['--override-input', 'nixpkgs', `path:${nixpkgs}`, '--no-write-lock-file'];
  const args = ['publish', '.#python', '--to', DESTINATION, ...nixArguments.map((argument) => `--nix-arg=${argument}`)];
  log(`nix-images ${args.map(shellWord).join(' ')}`);
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

/** The settings that containers need on this machine, as a file beside the image; undefined where they need none. */
async function containersConf(podman: Podman | undefined): Promise<string | undefined> {
  if (!podman?.confined) return undefined;
  const file = `${FOLDER}/containers.conf`;
  await writeFile(join(root, file), CONFINED_CONTAINERS_CONF);
  return file;
}

async function demo(): Promise<number> {
  await mkdir(join(root, FOLDER), { recursive: true });
  log('python3 from Debian packages takes the place of nixpkgs');
  const nixpkgs = await debianPackages({ packages: PACKAGES, log });
  const podman = await findPodman();
  const code = await publish(nixpkgs, podman).finally(() => podman?.remove());
  if (code !== 0) return code;
  const conf = await containersConf(podman);
  // npm runs this in the checkout, from wherever below it was called.
  const folder = process.env.INIT_CWD === root ? undefined : root;
  for (const line of runLines({ destination: DESTINATION, command: ['python3', '-c', PROGRAM], conf, folder }))
    console.log(line);
  return 0;
}

process.exitCode = await demo().catch((error: unknown) => {
  // What goes wrong here is apt's or the machine's doing; its text says more than a stack.
  log(error instanceof Error ? error.message : String(error));
  return 1;
});
