import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdtemp, readFile, realpath, rm, statfs } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cranePath as craneInCache } from '../../scripts/setup/go-tools.mjs';

/** What a program wrote and how it ended. A non-zero exit is a result here, for tests to look at. */
export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Runs a program without a shell. Rejects only when it cannot be started. */
export function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const settings = { cwd: options.cwd, env: { ...process.env, ...options.env }, maxBuffer: 1 << 28 };
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, settings, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number' && child.exitCode === null && child.signalCode === null)
        reject(error);
      else resolve({ exitCode: child.exitCode ?? -1, stdout, stderr });
    });
    child.stdin?.end();
  });
}

/** crane, as set-up built it. */
export const cranePath = (): string => craneInCache();

/** The file of a program on PATH or where administration's programs lie; throws when there is none. */
export function programPath(name: string): string {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  const file = directories.map((directory) => join(directory, name)).find(isExecutable);
  if (file === undefined) throw new Error(`${name} is not on PATH; npm test installs it (node scripts/setup.mjs test)`);
  return file;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** Deletes the folder and all in it, read-only folders (as store paths are) too. */
  remove(): Promise<void>;
}

/** A new folder under the system's temporary one, for `await using` or with `remove()`. */
export const uniqueTempDir = (name = 'test'): Promise<TempDir> => tempDirIn(tmpdir(), name);

/** Where Linux has a file system in memory. */
const MEMORY = '/dev/shm';

/** Bytes that must be free there and in the machine: containers often give it 64 MB, and an image of Nix takes 300. */
const ROOM = 3 * 1024 ** 3;

/**
 * The same in memory where there is room, for thousands of small files that soon go: ext4 takes no inode that was freed in
 * the last minutes, and each new file passes all of those by.
 */
export const memoryTempDir = async (name = 'test'): Promise<TempDir> =>
  tempDirIn((await isMemoryRoomy()) ? MEMORY : tmpdir(), name);

async function isMemoryRoomy(): Promise<boolean> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const [, options = 'noexec'] = new RegExp(`^\\S+ ${MEMORY} tmpfs (\\S+)`, 'm').exec(mounts) ?? [];
  if (options.split(',').includes('noexec')) return false;
  const { bavail, bsize } = await statfs(MEMORY);
  return Math.min(bavail * bsize, process.availableMemory()) >= ROOM;
}

async function tempDirIn(parent: string, name: string): Promise<TempDir> {
  // Resolved, because nix and podman compare paths by their text.
  const path = await realpath(await mkdtemp(join(parent, `nix-images-${name}-`)));
  const remove = async (): Promise<void> => {
    await chmod(path, 0o700).catch(() => undefined);
    if (process.getuid?.() !== 0) await runProgram('chmod', ['-R', 'u+rwX', path]);
    await removeTree(path);
  };
  return { path, remove, [Symbol.asyncDispose]: remove };
}

/**
 * Deletes a folder that a program may still be writing to, for some seconds. Node's own `maxRetries` tries every level again so
 * often for each try of the one above, which takes minutes where something deep down stays busy.
 */
async function removeTree(path: string): Promise<void> {
  for (let left = 50; left > 0; left -= 1) {
    try {
      return await rm(path, { recursive: true, force: true });
    } catch {
      await sleep(100);
    }
  }
  await rm(path, { recursive: true, force: true });
}

export interface Loopback extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  close(): Promise<void>;
}

/** Starts `server` (default: an empty HTTP server) on a free port of the loopback address. */
export async function listenOnLoopback(server: Server = createServer()): Promise<Loopback> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return { port, url: `http://127.0.0.1:${port}`, close, [Symbol.asyncDispose]: close };
}

/** A port that was free a moment ago; only for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createSocketServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((closed) => server.close(() => closed()));
  return port;
}
