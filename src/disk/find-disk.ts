import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { isMissing, systemCode, withFileErrors } from '../core/file-error.ts';
import { BOOT_MODES, type BootMode } from '../oci/disk-artifact.ts';
import { DISK_PACKINGS, type DiskPacking } from './unpack-disk.ts';

/** A disk that something else has made. */
interface FoundDisk {
  /** The file, without links. */
  readonly path: string;
  /** What it is packed with; undefined for a plain disk. */
  readonly packing: DiskPacking | undefined;
  /** What its maker says of it, where it does: NixOS' label, system and boot mode. */
  readonly label?: string | undefined;
  readonly system?: string | undefined;
  readonly bootMode?: BootMode | undefined;
}

interface FindDiskOptions {
  /** The store's folder on this machine, as in `/nix/store`; nothing outside of it is read. */
  readonly storeDir: string;
  /** What `passthru.filePath` of the derivation says: a path in the output. */
  readonly filePath?: string | undefined;
}

/** What nixpkgs writes beside its images: see nixos/maintainers/scripts/ec2/amazon-image.nix. Fields that are not known stay unread. */
const imageInfoSchema = z.object({
  file: z.string().min(1).optional(),
  label: z.string().optional(),
  system: z.string().optional(),
  boot_mode: z.enum(BOOT_MODES).optional(),
  disks: z.record(z.string(), z.unknown()).optional(),
});

/** Bytes of a text about an image that is read: they have a few hundred. */
const TEXT_LIMIT = 64 * 1024;

const DISK_NAME = /\.(?:raw|img|vhd|qcow2)(?:\.(?:zst|gz|xz))?$/i;

/** Names that an error lists. */
const SHOWN = 5;

/**
 * The one disk in `output`, an output of a derivation: what `passthru.filePath` names, else `nix-support/image-info.json`, else
 * `nix-support/hydra-build-products`, else the output itself where it is a file, else the only `*.raw`, `*.img`, `*.vhd` or `*.qcow2` in it, packed or
 * not. Throws UserError `file` where there is none, where there are several (with their names), and for a path or link that leaves the store.
 */
export async function findDisk(output: string, options: FindDiskOptions): Promise<FoundDisk> {
  const { filePath, storeDir } = options;
  if (filePath !== undefined) return fileAt(output, filePath, { ...options, by: 'passthru.filePath' });
  const info = await readInfo(output, storeDir);
  if (info?.file !== undefined) {
    const { file, label, system, boot_mode: bootMode } = info;
    return { ...(await fileAt(output, file, { ...options, by: INFO })), label, system, bootMode };
  }
  const disks = Object.keys(info?.disks ?? {});
  if (disks.length > 0) throw ambiguous(output, disks);
  const products = await readProducts(output, storeDir);
  const named = products.length > 0 ? products : await namesIn(output);
  const [name, ...others] = named;
  if (name === undefined) throw await noDisk(output);
  if (others.length > 0) throw ambiguous(output, named);
  return fileAt(output, name, { ...options, by: products.length > 0 ? PRODUCTS : 'its name' });
}

const INFO = 'nix-support/image-info.json';
const PRODUCTS = 'nix-support/hydra-build-products';

const ambiguous = (output: string, names: readonly string[]): UserError =>
  new UserError('file', `${output} has ${names.length} disks: ${listed(names.map((name) => basename(name)))}`, {
    hint: 'Name one of them by passthru.filePath of the derivation.',
    docs: 'disks.md#disks-of-other-tools',
  });

const listed = (names: readonly string[]): string =>
  [...names.slice(0, SHOWN), ...(names.length > SHOWN ? [`${names.length - SHOWN} more`] : [])].join(', ');

async function noDisk(output: string): Promise<UserError> {
  const names = (await readdir(output)).sort();
  return new UserError('file', `${output} has no disk, but ${names.length === 0 ? 'nothing' : listed(names)}`, {
    hint: 'A disk is a file NAME.raw, .img, .vhd or .qcow2, packed or not. Name another one by passthru.filePath of the derivation.',
  });
}

/** A small text in the output; undefined where it is not there, or the output is a file. */
async function readText(output: string, name: string, storeDir: string): Promise<string | undefined> {
  const path = join(output, name);
  return withFileErrors(path, 'read', async () => {
    try {
      const real = await realpath(path);
      const info = await stat(real);
      // Not even a device that never ends.
      if (!isInside(real, await realpath(storeDir)) || !info.isFile())
        throw outside(output, { path: real, by: name, storeDir });
      if (info.size > TEXT_LIMIT)
        throw new UserError('file', `${path} has ${info.size} bytes, more than ${TEXT_LIMIT}`);
      return await readFile(real, 'utf8');
    } catch (error) {
      if (isMissing(error) || systemCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  });
}

async function readInfo(output: string, storeDir: string): Promise<z.infer<typeof imageInfoSchema> | undefined> {
  const text = await readText(output, INFO, storeDir);
  return text === undefined ? undefined : decodeJson(text, imageInfoSchema, { code: 'file', what: join(output, INFO) });
}

/** Paths of the lines `file TYPE PATH`, the path in quotation marks at times, that may be disks. */
async function readProducts(output: string, storeDir: string): Promise<readonly string[]> {
  const text = (await readText(output, PRODUCTS, storeDir)) ?? '';
  const paths = text.split('\n').flatMap((line) => {
    const [, quoted, plain] = /^file\s+\S+\s+(?:"([^"]+)"|(\S+))/.exec(line) ?? [];
    return quoted ?? plain ?? [];
  });
  return [...new Set(paths)].filter((path) => DISK_NAME.test(path));
}

async function namesIn(output: string): Promise<readonly string[]> {
  return withFileErrors(output, 'read', async () => {
    if ((await stat(output)).isFile()) return [output];
    return (await readdir(output)).filter((name) => DISK_NAME.test(name)).sort();
  });
}

const isInside = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

const outside = (
  output: string,
  { path, by, storeDir }: { readonly path: string; readonly by: string; readonly storeDir: string },
): UserError =>
  new UserError('file', `${output}: ${by} leads to ${path}, outside the store ${storeDir}`, {
    hint: 'A disk must be in the output of its derivation, or of another one.',
  });

async function fileAt(
  output: string,
  name: string,
  { storeDir, by }: FindDiskOptions & { readonly by: string },
): Promise<FoundDisk> {
  const named = resolve(output, name);
  if (named.includes('\0') || !isInside(named, resolve(storeDir))) throw outside(output, { path: named, by, storeDir });
  return withFileErrors(named, 'read', async () => {
    const path = await realpath(named);
    if (!isInside(path, await realpath(storeDir))) throw outside(output, { path, by, storeDir });
    if (!(await stat(path)).isFile())
      throw new UserError('file', `${output}: the disk by ${by}, ${path}, is not a file`);
    const packing = Object.entries(DISK_PACKINGS).find(([end]) => path.endsWith(end))?.[1];
    return { path, packing };
  });
}
