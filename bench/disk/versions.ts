import { execFile } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { nixConfig } from '../../scripts/setup/nix-config.mjs';
import type { StoreEntry } from '../../src/erofs/tree.ts';
import { FIXTURES, type FixtureName } from '../fixture/fixture.ts';
import { imageArguments } from '../fixture/image-file.ts';
import { fetchPackages } from '../fixture/packages.ts';
import { realise } from '../fixture/realise.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';

const run = promisify(execFile);

/** What is on a disk. */
export interface DiskVersion {
  readonly name: string;
  readonly entries: readonly StoreEntry[];
}

/** A library of each closure with which about 5 % of its bytes are rebuilt, in the large one 8 paths; in the small one there is none so small. */
const FIVE_PERCENT: Readonly<Record<FixtureName, string>> = { small: 'libsqlite3-0', large: 'libldap-2.5-0' };

/** What of the closure is another in each version, as arguments of image.nix; `base` is what they are compared with. */
const changesOf = (fixture: FixtureName) => ({
  base: {},
  /** One path on top of all others. */
  leaf: { revision: '1' },
  /** A library that few need. */
  '5 %': { revision: '1', rebuilt: FIVE_PERCENT[fixture] },
  /** A library in the middle and all that needs it; the files in them keep their bytes. */
  middle: { revision: '1', rebuilt: 'libssl3' },
  /** At the bottom: nearly every path is another, and the files keep their bytes. */
  whole: { revision: '1', rebuilt: 'gcc-12-base' },
});

/** What a new version of a library is at worst: every file in the new paths of another version is replaced by other bytes, 3 % more of them. */
const OTHER_BYTES = { '5 %, other bytes': '5 %', 'middle, other bytes': 'middle' } as const;

type Realised = keyof ReturnType<typeof changesOf>;

/** All versions, in the order of the table. */
export const VERSIONS = ['base', 'leaf', '5 %', '5 %, other bytes', 'middle', 'middle, other bytes', 'whole'] as const;

type VersionName = (typeof VERSIONS)[number];

/** Realises the versions of these names; those of other bytes need the base and their own kind before them. */
export async function diskVersions(
  names: readonly VersionName[],
  fixture: FixtureName,
  work: string,
  log: (line: string) => void,
): Promise<readonly DiskVersion[]> {
  const packages = await fetchPackages(FIXTURES[fixture], systemOfMachine(), work, log);
  const changes = changesOf(fixture);
  const versions = new Map<VersionName, DiskVersion>();
  for (const name of names) {
    if (isOfOtherBytes(name)) {
      const [base, kind] = [versions.get('base'), versions.get(OTHER_BYTES[name])];
      if (!base || !kind) throw new Error(`${name} without what it is made of`);
      versions.set(name, { name, entries: await otherBytes(base, kind, join(work, fixture, 'disk-other-bytes')) });
      continue;
    }
    log(`${fixture}, ${name}: realising`);
    const folder = join(work, fixture, `disk-${name.replace(/\W+/g, '')}`);
    await mkdir(folder, { recursive: true });
    const words = imageArguments(fixture, packages, 'base', changes[name]);
    const { closure } = await realise(words, folder, { ...process.env, NIX_CONFIG: nixConfig() });
    versions.set(name, { name, entries: closure.map((path) => ({ name: basename(path), from: path })) });
  }
  return [...versions.values()];
}

const isOfOtherBytes = (name: VersionName): name is Exclude<VersionName, Realised> => Object.hasOwn(OTHER_BYTES, name);

async function otherBytes(base: DiskVersion, version: DiskVersion, folder: string): Promise<StoreEntry[]> {
  const old = new Set(base.entries.map(({ name }) => name));
  await mkdir(folder, { recursive: true });
  const entries: StoreEntry[] = [];
  for (const entry of version.entries) {
    entries.push(old.has(entry.name) ? entry : { name: entry.name, from: await withOtherBytes(entry, folder) });
  }
  return entries;
}

/** A copy of a path with other bytes in its files, made once. */
async function withOtherBytes({ name, from }: StoreEntry, folder: string): Promise<string> {
  const copy = join(folder, name);
  if (await stat(copy).catch(() => undefined)) return copy;
  const draft = join(folder, `.${name}`);
  await run('rm', ['-rf', draft]);
  await run('cp', ['-a', '--no-preserve=mode,ownership', from, draft]);
  for (const entry of await readdir(draft, { recursive: true, withFileTypes: true })) {
    if (entry.isFile())
      await replaceBytes(
        join(from, entry.parentPath.slice(draft.length), entry.name),
        join(entry.parentPath, entry.name),
      );
  }
  await run('mv', [draft, copy]);
  return copy;
}

/** The file as AES makes it, which is as good as random and always the same, and 3 % more. */
async function replaceBytes(from: string, to: string): Promise<void> {
  const { size } = await stat(from);
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16, 2));
  async function* longer(): AsyncGenerator<Uint8Array> {
    yield* createReadStream(from);
    yield Buffer.alloc(Math.ceil(size * 0.03));
  }
  await pipeline(longer, cipher, createWriteStream(to));
}
