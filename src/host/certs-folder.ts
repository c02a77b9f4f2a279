import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import { certificatesIn } from './trust.ts';

/** What `certs.d` says of one registry, all as PEM. */
export interface HostCertificates {
  /** Where it was found. */
  readonly folder: string;
  /** Authorities that are trusted beside the system's. */
  readonly authorities: readonly string[];
  /** Certificates that we show to the registry, with their keys. */
  readonly identities: readonly { readonly certificate: string; readonly key: string }[];
}

interface Home {
  /** The user's folder of settings, `~/.config`. */
  readonly config: string;
}

/** Docker Hub's folder has the name that references have, not that of its registry. */
const NAMES: Readonly<Record<string, string>> = { 'registry-1.docker.io': 'docker.io' };

/** Folders of containers-certs.d(5), with docker's own for users without root; the first that knows a registry counts. */
export const certsFolders = ({ config }: Home): string[] => [
  join(config, 'containers', 'certs.d'),
  join(config, 'docker', 'certs.d'),
  '/etc/containers/certs.d',
  '/etc/docker/certs.d',
];

/** The names of `url`'s folder: with the port and, where that is the protocol's own, without. */
function namesOf(url: URL): string[] {
  const host = Object.hasOwn(NAMES, url.hostname) ? (NAMES[url.hostname] ?? '') : url.hostname;
  return url.port === '' ? [host, `${host}:443`] : [`${host}:${url.port}`];
}

const unusable = (path: string, why: string, cause?: unknown): UserError =>
  new UserError('file', `cannot use ${path}: ${why}`, {
    hint: 'certs.d holds *.crt (authorities), and *.cert with the *.key of the same name (client certificates).',
    cause,
  });

const read = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unusable(path, `it cannot be read (${error.code ?? error.message})`, error);
  });

async function readAuthority(path: string): Promise<string[]> {
  const found = certificatesIn(await read(path));
  if (found.length === 0) throw unusable(path, 'no certificate in it');
  return found;
}

async function readCertificates(folder: string, names: readonly string[]): Promise<HostCertificates> {
  const identities = names.filter((name) => name.endsWith('.cert'));
  for (const name of names.filter((name) => name.endsWith('.key'))) {
    const certificate = name.replace(/\.key$/, '.cert');
    if (!names.includes(certificate)) throw unusable(join(folder, name), `its certificate ${certificate} is missing`);
  }
  return {
    folder,
    authorities: (
      await Promise.all(names.filter((name) => name.endsWith('.crt')).map((name) => readAuthority(join(folder, name))))
    ).flat(),
    identities: await Promise.all(
      identities.map(async (name) => {
        const key = name.replace(/\.cert$/, '.key');
        if (!names.includes(key)) throw unusable(join(folder, name), `its key ${key} is missing`);
        return { certificate: await read(join(folder, name)), key: await read(join(folder, key)) };
      }),
    ),
  };
}

/**
 * Looks a registry up in docker's and containers' `certs.d`; undefined when none of `folders` has a folder for it. Folders
 * that this user may not see are passed over. Throws UserError `file` for what is there and cannot be used.
 */
export async function findHostCertificates(
  url: URL,
  folders: readonly string[],
): Promise<HostCertificates | undefined> {
  for (const folder of folders.flatMap((parent) => namesOf(url).map((name) => join(parent, name)))) {
    const names = await readdir(folder).catch(() => undefined);
    if (names !== undefined) return await readCertificates(folder, names.sort());
  }
  return undefined;
}
