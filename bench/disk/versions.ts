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

/** What of the closure is another in each version; `base` is what they are compared with. */
const CHANGES = {
  base: {},
  /** One path on top of all others. */
  leaf: { revision: '1' },
  /** A library in the middle and all that needs it; the files in them keep their bytes. */
  middle: { revision: '1', rebuilt: 'libssl3' },
  /** At the bottom: nearly every path is another, and the files keep their bytes. */
  whole: { revision: '1', rebuilt: 'gcc-12-base' },
} as const;

/**
 * Realises all versions. One more, `middle, other bytes`, is the middle with every file in its new paths replaced by other
 * bytes, 3 % more of them: what a new version of a library is at worst.
 */
export async function diskVersions(
  fixture: FixtureName,
  work: string,
  log: (line: string) => void,
): Promise<readonly DiskVersion[]> {
  const packages = await fetchPackages(FIXTURES[fixture], systemOfMachine(), work, log);
  const versions: DiskVersion[] = [];
  for (const [name, change] of Object.entries(CHANGES)) {
    log(`${fixture}, ${name}: realising`);
    const folder = join(work, fixture, `disk-${name}`);
    await mkdir(folder, { recursive: true });
    const words = imageArguments(fixture, packages, 'base', change);
    const { closure } = await realise(words, folder, { ...process.env, NIX_CONFIG: nixConfig() });
    versions.push({ name, entries: closure.map((path) => ({ name: basename(path), from: path })) });
  }
  const [base, , middle] = versions;
  if (!base || !middle) throw new Error('no versions');
  const old = new Set(base.entries.map(({ name }) => name));
  const folder = join(work, fixture, 'disk-other-bytes');
  await mkdir(folder, { recursive: true });
  const entries: StoreEntry[] = [];
  for (const entry of middle.entries) {
    entries.push(old.has(entry.name) ? entry : { name: entry.name, from: await withOtherBytes(entry, folder) });
  }
  return [...versions, { name: 'middle, other bytes', entries }];
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
