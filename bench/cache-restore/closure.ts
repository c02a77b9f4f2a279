import { createCipheriv, createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { execa } from 'execa';

/** A path of the closure. Its NAR, packed, is the file `HASH.nar.zst` of the closure's folder. */
export interface ClosurePath {
  readonly path: string;
  readonly narHash: string;
  readonly narSize: number;
  readonly packed: number;
  readonly references: readonly string[];
  /** Whether the project built it; otherwise upstream has it. */
  readonly isOurs: boolean;
}

export interface ClosureOnDisk {
  readonly folder: string;
  readonly paths: readonly ClosurePath[];
  /** The whole store as one tarball, packed by zstd. */
  readonly tarball: string;
}

const PATHS = 1500;
const OURS = 50;

/** Bytes of a path of ours, of one upstream as Nix fetches it, and of one upstream as a store has it. */
const SIZES = { ours: 8_000_000, upstream: 6_000, stored: 2_200_000 } as const;

/** Files of a path upstream, as a store has it: a third of what Debian's packages have. */
const FILES = 40;

/** Bytes that look random and are the same each time. */
const noise = (seed: number, bytes: number): Buffer =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), createHash('md5').update(String(seed)).digest()).update(
    Buffer.alloc(bytes),
  );

/** The part of the bytes that does not pack: a third of what a store has, as of programs; two thirds of ours, where models and archives are among them. */
const NOISE = { ours: 2 / 3, upstream: 1 / 3 } as const;

function content(
  seed: number,
  bytes: number,
  { first, share }: { readonly first: string; readonly share: number },
): Buffer {
  const random = noise(seed, Math.floor(bytes * share));
  const text = Buffer.alloc(bytes - random.length, `${first}; ${'a line of a program that packs well. '.repeat(20)}\n`);
  return Buffer.concat([Buffer.from(`${first}\n`), random, text]);
}

/** A file as a NAR (nix.dev, "Nix Archive"). */
function narOf(contents: Buffer): Buffer {
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    return Buffer.concat([length, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
  };
  const words = ['nix-archive-1', '(', 'type', 'regular', 'contents'].map((word) => field(Buffer.from(word)));
  return Buffer.concat([...words, field(contents), field(Buffer.from(')'))]);
}

const hashOf = (number: number): string =>
  createHash('sha256').update(`path ${number}`).digest('hex').slice(0, 32).replaceAll('e', 'z');

const pathOf = (number: number): string => `/nix/store/${hashOf(number)}-p${number}`;

/** What a path refers to: a tree of three branches each, which is as deep as a closure of nixpkgs, and some across it. */
const referencesOf = (number: number): string[] =>
  [3 * number + 1, 3 * number + 2, 3 * number + 3, 7 * number + 11].filter((other) => other < PATHS).map(pathOf);

async function writeFiles(folder: string, contents: Buffer): Promise<void> {
  await mkdir(folder);
  const each = Math.ceil(contents.length / FILES);
  for (let file = 0; file < FILES; file++) {
    await writeFile(join(folder, String(file)), contents.subarray(file * each, (file + 1) * each));
  }
}

/** Makes the closure in `folder`, or takes the one that is there. `scale` makes files smaller. The root is its first path. */
export async function makeClosure(folder: string, scale: number, log: (line: string) => void): Promise<ClosureOnDisk> {
  const place = join(folder, `closure-${scale}`);
  const list = join(place, 'paths.json');
  const tarball = join(place, 'store.tar.zst');
  const made = await readFile(list, 'utf8').catch(() => undefined);
  if (made !== undefined) return { folder: place, tarball, paths: JSON.parse(made) as ClosurePath[] };
  log('making the closure, once');
  await rm(place, { recursive: true, force: true });
  const tree = join(place, 'tree');
  await mkdir(tree, { recursive: true });
  const paths: ClosurePath[] = [];
  for (let number = 0; number < PATHS; number++) {
    const isOurs = number < OURS;
    const path = pathOf(number);
    const references = referencesOf(number);
    const size = (isOurs ? SIZES.ours : SIZES.upstream) * (isOurs ? scale : 1);
    const contents = content(number, size, {
      first: references.join(' '),
      share: isOurs ? NOISE.ours : NOISE.upstream,
    });
    const nar = narOf(contents);
    const frame = zstdCompressSync(nar);
    await writeFile(join(place, `${hashOf(number)}.nar.zst`), frame);
    const stored = join(tree, `${hashOf(number)}-p${number}`);
    if (isOurs) await writeFile(stored, contents);
    else await writeFiles(stored, content(number, SIZES.stored * scale, { first: path, share: NOISE.upstream }));
    const narHash = `sha256-${createHash('sha256').update(nar).digest('base64')}`;
    paths.push({ path, narHash, narSize: nar.length, packed: frame.length, references, isOurs });
  }
  // As GitHub's client packs it.
  await execa('tar', ['-c', '-f', `${tarball}.new`, '-C', place, '--use-compress-program', 'zstd -T0', 'tree']);
  await rm(tree, { recursive: true });
  await rename(`${tarball}.new`, tarball);
  await writeFile(list, JSON.stringify(paths));
  return { folder: place, tarball, paths };
}

export const packedFile = ({ folder }: Pick<ClosureOnDisk, 'folder'>, { path }: Pick<ClosurePath, 'path'>): string =>
  join(folder, `${path.slice(11, 43)}.nar.zst`);

/** The packed NAR of a path. */
export const readPacked = (closure: Pick<ClosureOnDisk, 'folder'>, path: Pick<ClosurePath, 'path'>) =>
  createReadStream(packedFile(closure, path));
