import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import type { System } from '../../../src/oci/system.ts';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { IMAGES } from '../../support/cli.ts';
import type { Podman } from '../../support/podman.ts';
import { X86 } from '../../support/systems.ts';
import { listenOnLoopback, runProgram } from '../../support/tools.ts';

/** What the image is made of, under Debian's names, and jq, which the readme adds to it. */
const PACKAGES = [
  ...['bash', 'ca-certificates', 'coreutils', 'curl', 'gnu-which', 'httpie', 'jq', 'just', 'less', 'netbase'],
  ...['patchelf', 'tini', 'tzdata'],
];

/** The folder of the stand-in for nixpkgs. Only Debian 13 has just; its packages for another system take a minute. */
export const standIn = (systems: readonly System[] = [X86]): Promise<string> =>
  debianPackages({ suite: 'trixie', packages: PACKAGES, systems });

/** Words that choose the image as it is shipped. */
export const shippedImage = async (systems?: readonly System[]): Promise<string[]> => [
  ...['--file', join(IMAGES, 'utility.nix'), '--attr', 'utility'],
  ...['--argstr', 'packages', await standIn(systems)].map((argument) => `--nix-arg=${argument}`),
];

/** The tests that the image declares. */
export const UTILITY_TESTS = [
  ...['content', 'curl', 'no place for a session', 'recipes', 'recipes in a folder', 'restricted', 'unknown'],
];

/** Recipes that stand in for the image's own. */
export const RECIPES = join(IMAGES, 'utility.just');

/** Pulls the image of one platform from a registry of the tests; gives its id. */
export async function pull(podman: Podman, reference: string, platform: string): Promise<string> {
  const words = ['pull', '--quiet', '--tls-verify=false', '--platform', platform, reference];
  const { exitCode, stdout, stderr } = await podman.run(words);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** A server whose certificate comes from an authority that nobody else knows. */
export interface SecureServer extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** File with the authority's certificate. */
  readonly authority: string;
  /** What it was asked, such as `POST /backup {"name": "test"}`; of long bodies, their SHA-256. */
  readonly requests: string[];
  /** Statuses by path, 200 where none is set. */
  readonly statuses: Map<string, number>;
}

/** Bytes of a body that are shown as they are. */
const SHOWN = 1000;

async function shown(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  let [size, start] = [0, ''];
  for await (const chunk of body) {
    hash.update(chunk);
    size += chunk.length;
    if (size <= SHOWN) start += Buffer.from(chunk).toString('utf8');
  }
  return size <= SHOWN ? start : `sha256:${hash.digest('hex')}`;
}

/** Starts a server on the loopback address; keys and certificates are made for it, in `folder`. */
export async function startSecureServer(folder: string): Promise<SecureServer> {
  const at = (name: string): string => join(folder, name);
  const openssl = async (words: string, ...more: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await runProgram('openssl', [...words.split(' '), ...more]);
    if (exitCode !== 0) throw new Error(stderr);
  };
  const fresh = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -config';
  const config = at('openssl.cnf');
  await writeFile(config, '[req]\ndistinguished_name = name\n[name]\n');
  await openssl(
    `${fresh} ${config} -keyout ${at('ca.key')} -out ${at('ca.pem')} -subj`,
    '/CN=An authority of the tests',
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'],
    ...['-addext', 'subjectKeyIdentifier=hash'],
  );
  await openssl(
    `${fresh} ${config} -keyout ${at('server.key')} -out ${at('server.pem')} -subj`,
    '/CN=127.0.0.1',
    ...['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'authorityKeyIdentifier=keyid'],
  );
  const [key, cert] = await Promise.all([readFile(at('server.key')), readFile(at('server.pem'))]);
  const requests: string[] = [];
  const statuses = new Map<string, number>();
  const server = createServer({ key, cert }, async (request, response) => {
    requests.push(`${request.method} ${request.url} ${await shown(request)}`.trim());
    const headers = { 'content-type': 'text/plain', 'set-cookie': 'visit=1', location: '/elsewhere' };
    response.writeHead(statuses.get(request.url ?? '') ?? 200, headers);
    response.end('an answer\n');
  });
  const { port, close } = await listenOnLoopback(server as Server);
  const url = `https://127.0.0.1:${port}`;
  return { url, authority: at('ca.pem'), requests, statuses, [Symbol.asyncDispose]: close };
}
