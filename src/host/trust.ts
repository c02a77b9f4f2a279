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

async function firstFile(files: readonly string[]): Promise<string> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text !== undefined) return text;
  }
  return '';
}

/** Links within the folder are OpenSSL's names (hashes) of certificates that lie beside them. */
const isName = async (folder: string, name: string): Promise<boolean> =>
  readlink(join(folder, name)).then(
    (target) => target.includes('/'),
    () => true,
  );

async function readFolder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const texts = entries.map(async (entry) => {
    if (entry.isDirectory() || (entry.isSymbolicLink() && !(await isName(folder, entry.name)))) return '';
    return await readOrNothing(join(folder, entry.name));
  });
  return await Promise.all(texts);
}

/**
 * The authorities that servers are trusted by, as PEM, found as Go programs (docker, podman, skopeo) find them on Linux: the
 * system's, or those of SSL_CERT_FILE and SSL_CERT_DIR (folders with colons between). Beside them those of
 * NODE_EXTRA_CA_CERTS. Where the system has none, those that Node.js comes with.
 */
export async function trustedAuthorities(env: (name: string) => string | undefined): Promise<string[]> {
  const file = env('SSL_CERT_FILE');
  const folders = env('SSL_CERT_DIR')?.split(':') ?? FOLDERS;
  const [bundle, ...rest] = await Promise.all([
    firstFile(file ? [file] : FILES),
    ...folders.filter((folder) => folder !== '').map(readFolder),
  ]);
  const system = [bundle, ...rest.flat()].flatMap(certificatesIn);
  const trusted = system.length > 0 ? system : getCACertificates('bundled');
  return distinct([...trusted, ...getCACertificates('extra')]);
}
