import { randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, type FileHandle, mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { UserError } from '../../core/error.ts';
import { isMissing, withFileErrors } from '../../core/file-error.ts';
import { type Digest, digestHex } from '../../oci/digest.ts';
import { MANIFEST_LIMIT } from '../../oci/read-manifest.ts';
import {
  checkLayoutMarker,
  emptyLayoutIndex,
  encodeLayoutIndex,
  LAYOUT_MARKER,
  type LayoutIndex,
  parseLayoutIndex,
} from './layout-index.ts';
import { LOCK_FILE, type LockTools, withLayoutLock } from './layout-lock.ts';

/** What a layout consists of, in the order in which it is made. */
const LAYOUT_FILES = ['blobs', 'index.json', 'oci-layout'];

/** Name of a blob's file below the layout's folder. */
export const blobName = (digest: Digest): string => `blobs/sha256/${digestHex(digest)}`;

const escapes = (path: string): UserError =>
  new UserError('file', `${path} leads out of its layout, or is not a regular file`, {
    hint: 'The layout was tampered with, or made of links; make a plain copy of it from its source.',
  });

/** Opens a file of a folder that is not trusted: nothing outside of it, nothing but a plain file. */
async function openInside(root: string, name: string): Promise<FileHandle> {
  const inside = await realpath(root);
  const path = await realpath(join(root, name));
  if (!path.startsWith(inside + sep)) throw escapes(join(root, name));
  // O_NONBLOCK, lest a named pipe holds us up before we can see that it is one.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw escapes(path);
}

/** The files of an OCI image layout. Reading trusts nothing; writing is by temporary file and rename. */
export class LayoutFolder {
  readonly root: string;
  readonly #tools: LockTools;

  constructor(root: string, tools: LockTools = {}) {
    this.root = root;
    this.#tools = tools;
  }

  /** Makes the folder a layout unless it is one. Throws UserError `file` when it holds something else. */
  async create(): Promise<void> {
    await withFileErrors(this.root, 'write', async () => {
      await mkdir(this.root, { recursive: true });
      const isComplete = LAYOUT_FILES.every((name) => existsSync(join(this.root, name)));
      // Before the lock, which must not be left in a folder that is somebody else's; and with it, because others create too.
      if (!isComplete) {
        await this.#checkNames();
        await this.locked(() => this.#complete());
      }
      await this.check();
      await mkdir(join(this.root, 'blobs', 'sha256'), { recursive: true });
      await this.#checkBlobFolder();
    });
  }

  async #checkNames(): Promise<readonly string[]> {
    const names = (await readdir(this.root)).filter((name) => !isOurs(name));
    if (names.includes('oci-layout') || names.every((name) => LAYOUT_FILES.includes(name))) return names;
    throw new UserError('file', `${this.root} is not empty and not an OCI image layout`, {
      hint: 'Name an empty or new folder, or a layout.',
    });
  }

  async #complete(): Promise<void> {
    const names = await this.#checkNames();
    await mkdir(join(this.root, 'blobs', 'sha256'), { recursive: true });
    await this.#checkBlobFolder();
    if (!names.includes('index.json')) await this.replace('index.json', encodeLayoutIndex(emptyLayoutIndex()));
    // The marker last: a folder that has it has the rest too.
    if (!names.includes('oci-layout')) await this.replace('oci-layout', Buffer.from(LAYOUT_MARKER));
  }

  /** Runs `work` while nobody else changes the layout's index. */
  locked<T>(work: () => Promise<T>): Promise<T> {
    return withLayoutLock(this.root, this.#tools, work);
  }

  /** Whether there is anything at its place. */
  exists(): Promise<boolean> {
    return access(this.root).then(
      () => true,
      () => false,
    );
  }

  /** Throws UserError `file` unless the folder is a layout. */
  async check(): Promise<void> {
    const text = await this.#readText('oci-layout').catch((error: unknown) => {
      if (!(error instanceof UserError) || !isMissing(error.cause)) throw error;
      throw new UserError('file', `${this.root} is not an OCI image layout: oci-layout is missing`, {
        hint: 'Check the path. A layout is a folder with oci-layout, index.json and blobs.',
        cause: error,
      });
    });
    checkLayoutMarker(text, join(this.root, 'oci-layout'));
  }

  async readIndex(): Promise<LayoutIndex> {
    return parseLayoutIndex(await this.#readText('index.json'), join(this.root, 'index.json'));
  }

  /** Replaces the index by what `change` makes of it, as it is then. */
  changeIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    return this.locked(async () => {
      await this.replace('index.json', encodeLayoutIndex(change(await this.readIndex())));
    });
  }

  /** Opens a blob for reading; undefined when it is not there. */
  async openBlob(digest: Digest): Promise<FileHandle | undefined> {
    const name = blobName(digest);
    return withFileErrors(join(this.root, name), 'read', async () => {
      try {
        return await openInside(this.root, name);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /** A new temporary file in the layout's own folder, so that a rename puts it in place. */
  async openPartial(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const path = join(this.root, partialName());
    const handle = await withFileErrors(path, 'write', () => open(path, 'wx+', 0o644));
    return { path, handle };
  }

  /** Puts a finished temporary file in the place of a blob. */
  async place(partial: string, digest: Digest): Promise<void> {
    const path = join(this.root, blobName(digest));
    await withFileErrors(path, 'write', () => rename(partial, path));
  }

  /** Writes a whole file in one step: whoever reads sees the old or the new one. */
  async replace(name: string, bytes: Uint8Array): Promise<void> {
    const { path, handle } = await this.openPartial();
    await withFileErrors(join(this.root, name), 'write', async () => {
      try {
        await handle.writeFile(bytes);
        await handle.sync();
        await handle.close();
        await rename(path, join(this.root, name));
      } catch (error) {
        await handle.close().catch(() => undefined);
        await rm(path, { force: true });
        throw error;
      }
    });
  }

  /** Makes renames durable. */
  async sync(): Promise<void> {
    for (const name of ['.', 'blobs/sha256']) {
      await withFileErrors(join(this.root, name), 'write', async () => {
        const handle = await open(join(this.root, name), constants.O_RDONLY | constants.O_DIRECTORY);
        await handle.sync().finally(() => handle.close());
      });
    }
  }

  async #checkBlobFolder(): Promise<void> {
    const inside = await realpath(this.root);
    const blobs = await realpath(join(this.root, 'blobs', 'sha256'));
    // A link here would make us write somewhere else.
    if (blobs !== join(inside, 'blobs', 'sha256')) throw escapes(join(this.root, 'blobs', 'sha256'));
  }

  async #readText(name: string): Promise<string> {
    const path = join(this.root, name);
    return withFileErrors(path, 'read', async () => {
      const handle = await openInside(this.root, name);
      try {
        const { size } = await handle.stat();
        if (size > MANIFEST_LIMIT) {
          throw new UserError('file', `${path} has ${size} bytes; the limit is 4 MiB`, {
            hint: 'Split the layout.',
          });
        }
        return await handle.readFile('utf8');
      } finally {
        await handle.close();
      }
    });
  }
}

const PARTIAL = /^\.partial-[0-9a-f]{16}$/;

/** Whether a name is that of a file which is being written, or of a lock. */
const isOurs = (name: string): boolean => PARTIAL.test(name) || name.startsWith(LOCK_FILE);

const partialName = (): string => `.partial-${randomBytes(8).toString('hex')}`;
