import { createHash } from 'node:crypto';
import { sizeText } from '../core/size.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import type { MadeFile } from './zstd-disk.ts';

/**
 * Bytes of an asset at most: GitHub wants less than 2 GiB, and refuses that very number for some. 2000 MiB is what `split` has been told for years
 * (cli/cli 5008).
 */
export const MOST_ASSET = 2000 * 1024 * 1024;

const PART = '.part-';

/** An asset that is to be sent: a file, or a part of one. */
export interface AssetFile {
  readonly name: string;
  readonly size: number;
  /** Called again where an upload broke. */
  read(): AsyncIterable<Uint8Array>;
}

/** The assets that a file becomes: itself, or parts that `cat` joins in the order of their names. */
export function assetsOf({ name, size, read }: MadeFile, most = MOST_ASSET): AssetFile[] {
  const count = Math.max(1, Math.ceil(size / most));
  const digits = Math.max(2, String(count).length);
  return Array.from({ length: count }, (_, at) => {
    const [start, end] = [at * most, Math.min(size, (at + 1) * most)];
    const part = count === 1 ? '' : `${PART}${String(at + 1).padStart(digits, '0')}`;
    return { name: `${name}${part}`, size: end - start, read: () => read(start, end) };
  });
}

/** The file that an asset is a part of; undefined where it is whole. */
const wholeOf = (name: string): string | undefined => /^(.+)\.part-\d{2,}$/.exec(name)?.[1];

/** Whether an asset is a part of `file`, or all of it: what a disk that has shrunk since leaves behind. */
export const isOfFile = (name: string, file: string): boolean => name === file || wholeOf(name) === file;

/** SHA-256 of what is read. */
export async function digestOfStream(bytes: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return endDigest(hash);
}

const ENDING = '.raw.zst';

/** How people get a disk out of its assets. */
function commandFor(file: string, isSplit: boolean): string {
  const raw = file.slice(0, -'.zst'.length);
  return isSplit ? `cat ${file}${PART}* | zstd -d --sparse -o ${raw}` : `zstd -d --sparse ${file} -o ${raw}`;
}

interface NamedAsset {
  readonly name: string;
  readonly size: number;
}

/** The disks among the assets of a release, by name: their bytes, and how many assets they are. */
function disksIn(assets: readonly NamedAsset[]): [file: string, parts: readonly NamedAsset[]][] {
  const files = Map.groupBy(assets, ({ name }) => wholeOf(name) ?? name);
  return [...files].filter(([file]) => file.endsWith(ENDING)).sort(([a], [b]) => (a < b ? -1 : 1));
}

const isSplit = (file: string, parts: readonly NamedAsset[]): boolean => parts.some(({ name }) => name !== file);

/** What the file of checksums says of split disks. */
export const joiningCommands = (assets: readonly NamedAsset[]): string[] =>
  disksIn(assets).flatMap(([file, parts]) => (isSplit(file, parts) ? [commandFor(file, true)] : []));

const BEGIN = '<!-- nix-images: disks -->';
const END = '<!-- /nix-images: disks -->';

/** On drafts that a publish has made, and publishes when all is there; drafts of people stay drafts. */
const OWN_DRAFT = '<!-- nix-images: draft -->';

export const ownDraftText = `${OWN_DRAFT}\n`;

export const isOwnDraft = (body: string): boolean => body.includes(OWN_DRAFT);

/** The text of a release with what its disks are and how they are unpacked; all else in it stays. */
export function releaseText(body: string, assets: readonly NamedAsset[]): string {
  const disks = disksIn(assets);
  const rest = body
    .replace(/<!-- nix-images: disks -->[\s\S]*?<!-- \/nix-images: disks -->\n?/g, '')
    .replace(`${OWN_DRAFT}\n`, '');
  if (disks.length === 0) return rest;
  const rows = disks.map(([file, parts]) => {
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    return `| \`${file}\` | ${sizeText(size)} | ${isSplit(file, parts) ? `${parts.length} parts` : ''} |`;
  });
  const commands = disks.map(([file, parts]) => commandFor(file, isSplit(file, parts)));
  const section = [
    BEGIN,
    '### Disks',
    '',
    '| File | Size | |',
    '| --- | ---: | --- |',
    ...rows,
    '',
    '```sh',
    'sha256sum --check --ignore-missing SHA256SUMS',
    ...commands,
    '```',
    END,
  ];
  const before = rest.trimEnd();
  return `${before}${before === '' ? '' : '\n\n'}${section.join('\n')}\n`;
}
