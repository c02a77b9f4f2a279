import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates } from 'node:tls';

/** Where the systems keep all certificates in one file; the first that is there counts. The list of Go's crypto/x509 for Linux. */
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** Folders of single certificates; all of them count. */
const FOLDERS = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a text of PEM blocks; what is not one is left out. */
export const certificatesIn = (text: string): string[] => text.match(BLOCK) ?? [];

/** The same certificate mostly lies in the bundle and in a file of its own, broken into lines differently. */
const distinct = (certificates: readonly string[]): string[] => [
  ...new Map(certificates.map((certificate) => [certificate.replace(/\s+/g, ''), certificate])).values(),
];

const readOrNothing = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

/** What a place holds, and its name. */
interface Place {
  readonly name: string;
  readonly texts: readonly string[];
}

async function firstFile(files: readonly string[]): Promise<Place[]> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return [{ name: file, texts: [text] }];
  }
  return [];
}

/** Links within the folder are OpenSSL's names (hashes) of certificates that lie beside them. */
const isName = async (folder: string, name: string): Promise<boolean> =>
  readlink(join(folder, name)).then(
    (target) => target.includes('/'),
    () => true,
  );

async function readFolder(folder: string): Promise<Place> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const texts = entries.map(async (entry) => {
    if (entry.isDirectory() || (entry.isSymbolicLink() && !(await isName(folder, entry.name)))) return '';
    return await readOrNothing(join(folder, entry.name));
  });
  return { name: folder, texts: await Promise.all(texts) };
}

/** What servers are trusted by. */
export interface Trust {
  /** As PEM. */
  readonly authorities: readonly string[];
  /** The files and folders that they are from, for messages. */
  readonly origins: readonly string[];
}

/** What somebody named is listed though nothing is in it: that is what they have to mend. */
const describe = ({ name, texts }: Place): string =>
  texts.some((text) => certificatesIn(text).length > 0) ? name : `${name} (no certificate in it)`;

/**
 * The authorities that servers are trusted by, found as Go programs (docker, podman, skopeo) find them on Linux: the
 * system's, or those of SSL_CERT_FILE and SSL_CERT_DIR (folders with colons between). Beside them those of
 * NODE_EXTRA_CA_CERTS. Where the system has none, those that Node.js comes with.
 */
export async function trustedAuthorities(env: (name: string) => string | undefined): Promise<Trust> {
  const file = env('SSL_CERT_FILE');
  const folders = env('SSL_CERT_DIR')?.split(':') ?? FOLDERS;
  const [bundles, ...rest] = await Promise.all([
    file ? readOrNothing(file).then((text): Place[] => [{ name: file, texts: [text] }]) : firstFile(FILES),
    ...folders.filter((folder) => folder !== '').map(readFolder),
  ]);
  const places = [...bundles, ...rest];
  const system = places.flatMap(({ texts }) => texts).flatMap(certificatesIn);
  const extra = getCACertificates('extra');
  const trusted = system.length > 0 ? system : getCACertificates('bundled');
  return {
    authorities: distinct([...trusted, ...extra]),
    origins: [
      ...places.map(describe),
      ...(system.length > 0 ? [] : ['those that Node.js comes with']),
      ...(extra.length > 0 ? [env('NODE_EXTRA_CA_CERTS') ?? 'NODE_EXTRA_CA_CERTS'] : []),
    ],
  };
}
