import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface RunningRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** What it was asked, one line a request; only with `countRequests`. */
  requests(): readonly string[];
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** The program. Default: Debian's docker-registry. */
  readonly program?: string;
  /** Files of a certificate and its key, with which it speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Takes tokens of this realm; whoever signs them is vouched for by the certificates in the file. */
  readonly tokens?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly rootcertbundle: string;
  };
  /** Content of an htpasswd file with bcrypt hashes; without it everybody may do everything. */
  readonly htpasswd?: string;
  /** Whether manifests may be deleted. Default: true. */
  readonly deletes?: boolean;
  /** Keeps a line of each request. */
  readonly countRequests?: boolean;
}

/** distribution's configuration; JSON is YAML. */
function configText(folder: string, options: RegistryOptions): string {
  const { htpasswd, countRequests = false, deletes = true, tls, tokens } = options;
  const passwords = htpasswd !== undefined && { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } };
  const auth = passwords || (tokens && { token: tokens });
  return JSON.stringify({
    version: '0.1',
    // The address in use is read from this line.
    log: { level: 'info', accesslog: { disabled: !countRequests } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: deletes } },
    http: { addr: '127.0.0.1:0', ...(tls && { tls }) },
    ...(auth ? { auth } : {}),
  });
}

const waitForAddress = (child: ChildProcess, requests: string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const seen: string[] = [];
    child.on('error', (cause) =>
      reject(new Error('the registry could not be started; npm test and npm run test:full install them', { cause })),
    );
    child.on('exit', (code) => reject(new Error(`the registry ended with ${code}: ${seen.join('\n')}`)));
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        // The access log, in the form that web servers have written since Apache.
        if (/"[A-Z]+ \/v2\//.test(line)) requests.push(line);
        else seen.push(line);
        const host = /listening on (127\.0\.0\.1:\d+)/.exec(line)?.[1];
        if (host !== undefined) resolve(host);
      });
    }
  });

/** Starts a registry (Debian's docker-registry is distribution 2.8) on a free loopback port, with storage of its own. */
export const startRegistry = async (options: RegistryOptions = {}): Promise<RunningRegistry> => {
  const { program = 'docker-registry', htpasswd } = options;
  const folder = await mkdtemp(join(tmpdir(), 'nix-images-registry-'));
  await writeFile(join(folder, 'config.yml'), configText(folder, options));
  if (htpasswd !== undefined) await writeFile(join(folder, 'htpasswd'), htpasswd);
  const child = spawn(program, ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Version 3 would send traces to a collector on this machine.
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const requests: string[] = [];
  try {
    return { host: await waitForAddress(child, requests), requests: () => requests, stop };
  } catch (error) {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
};
