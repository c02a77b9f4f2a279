import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { debianSource } from '../../scripts/setup/nix-versions.mjs';
import { type Architecture, openApt } from '../../test/fixtures/debian/apt.ts';
import type { Skopeo } from './skopeo.ts';

const run = promisify(execFile);

/** The newest that Debian has. */
const SUITE = 'sid';

const MACHINE: Readonly<Record<string, { architecture: Architecture; triplet: string; loader: string }>> = {
  x64: { architecture: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { architecture: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

/**
 * A skopeo from a newer Debian, with its libraries, unpacked in `folder` beside the machine's own, which is not touched.
 * Throws where there is none to be had.
 */
export async function newerSkopeo(folder: string, log: (line: string) => void): Promise<Skopeo> {
  const machine = MACHINE[process.arch];
  if (machine === undefined) throw new Error(`no Debian packages for ${process.arch}`);
  const root = join(folder, 'root');
  if (!(await stat(root).catch(() => undefined))) await unpack(folder, root, machine.architecture, log);
  const libraries = join(root, 'usr/lib', machine.triplet);
  // Its own C library, through its own loader: the machine's are older.
  const words = [join(libraries, machine.loader), '--library-path', libraries, join(root, 'usr/bin/skopeo')] as const;
  const { stdout } = await run(words[0], [...words.slice(1), '--version']);
  return { version: versionIn(stdout), words: [...words] };
}

async function unpack(folder: string, root: string, architecture: Architecture, log: (line: string) => void) {
  await mkdir(folder, { recursive: true });
  const { uri, signedBy } = debianSource();
  const sources = join(folder, 'newer.sources');
  const signed = signedBy === undefined ? '' : `Signed-By: ${signedBy}\n`;
  await writeFile(sources, `Types: deb\nURIs: ${uri}\nSuites: ${SUITE}\nComponents: main\n${signed}`);
  const apt = await openApt(architecture, join(folder, 'apt'), sources, log);
  const draft = `${root}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  for (const archive of await apt.fetch(['skopeo'])) {
    const tar = join(folder, 'package.tar');
    const { stdout } = await run('dpkg-deb', ['--fsys-tarfile', archive], { encoding: 'buffer', maxBuffer: 1 << 29 });
    await writeFile(tar, stdout);
    // Two trees meet here, and /lib may be a link in one and a folder in the other.
    await run('tar', ['--directory', draft, '--extract', '--file', tar, '--keep-directory-symlink']);
    await rm(tar);
  }
  if ((await readdir(draft)).length === 0) throw new Error(`Debian ${SUITE} has no skopeo`);
  await rename(draft, root);
}

/** `1.18.0` in `skopeo version 1.18.0 commit: …`. */
export const versionIn = (text: string): string => /\d+(?:\.\d+)+/.exec(text)?.[0] ?? text.trim();
