import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { RegistryEmulator } from '../emulators/registry/emulator.ts';
import { sha256 } from './bytes.ts';
import { configOf, dockerArchive, tarBytes } from './docker-archive.ts';
import { cranePath, programPath, runProgram } from './tools.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar+gzip';

/**
 * The layers of a small system as distributions have it: `bin -> usr/bin`, a sticky /tmp, a private /root, accounts; the
 * upper one deletes /opt and what lay in /srv. Plain tars, made in `folder`.
 */
export async function baseLayers(folder: string): Promise<Buffer[]> {
  const lower = join(folder, 'lower');
  for (const path of ['usr/bin', 'etc', 'tmp', 'root', 'opt/old', 'srv/old']) {
    await mkdir(join(lower, path), { recursive: true });
  }
  await copyFile(programPath('busybox'), join(lower, 'usr/bin/busybox'));
  for (const name of ['sh', 'cat', 'id', 'ls', 'stat']) await symlink('busybox', join(lower, 'usr/bin', name));
  await symlink('usr/bin', join(lower, 'bin'));
  await writeFile(join(lower, 'etc/passwd'), PASSWD);
  await writeFile(join(lower, 'etc/group'), 'root:x:0:\nssl-cert:x:101:postgres\npostgres:x:70:\n');
  await writeFile(join(lower, 'etc/shadow'), 'root:*:1:0:99999:7:::\n');
  await chmod(join(lower, 'etc/shadow'), 0o640);
  await chmod(join(lower, 'tmp'), 0o1777);
  await chmod(join(lower, 'root'), 0o700);
  const upper = join(folder, 'upper');
  await mkdir(join(upper, 'srv'), { recursive: true });
  await writeFile(join(upper, '.wh.opt'), '');
  await writeFile(join(upper, 'srv/.wh..wh..opq'), '');
  return Promise.all([lower, upper].map((root) => tarOf(root)));
}

async function tarOf(root: string): Promise<Buffer> {
  const path = `${root}.tar`;
  const args = [
    '--format=pax',
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--mtime=@1600000000',
    '-C',
    root,
    '-cf',
    path,
  ];
  const { exitCode, stderr } = await runProgram('tar', [...args, '.']);
  if (exitCode !== 0) throw new Error(stderr);
  return readFile(path);
}

/** Writes layers as a docker-archive. */
export const writeBase = (path: string, layers: readonly Buffer[]): Promise<void> =>
  writeFile(path, tarBytes(dockerArchive(layers)));

/** Pushes an archive to a registry, and names what was pushed by its digest. */
export async function pushBase(archive: string, reference: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(cranePath(), ['push', '--insecure', archive, reference]);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** Puts layers as an image into the emulator, packed by gzip, and returns the digests of manifest and layers. */
export function storeBase(
  { store }: RegistryEmulator,
  repository: string,
  layers: readonly Buffer[],
): { readonly digest: string; readonly layers: readonly string[] } {
  const described = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: store.putBlob(repository, bytes),
    size: bytes.length,
  });
  const config = configOf(layers.map((layer) => sha256(layer)));
  const packed = layers.map((layer) => described(LAYER_TYPE, gzipSync(layer)));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: described('application/vnd.oci.image.config.v1+json', config),
      layers: packed,
    }),
  );
  const digest = sha256(manifest);
  store.putManifest(repository, digest, manifest, MANIFEST_TYPE);
  return { digest, layers: packed.map((layer) => layer.digest) };
}
