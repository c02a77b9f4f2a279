import type { Digest } from '../oci/digest.ts';
import { digestHex } from '../oci/digest.ts';
import type { System } from '../oci/system.ts';
import type { MadeFile } from './zstd-disk.ts';

/** The file of checksums, as sha256sum reads it. */
export const SUMS = 'SHA256SUMS';

/** The files of one disk that are at their place, where nobody sees them yet. Exactly one of its methods ends it. */
export interface StagedFiles {
  /** Bytes that were written or sent for it; less than all where some were there already. */
  readonly bytesSent: number;
  /** Shows them. Resolves with where each is: paths or URLs. */
  finish(): Promise<readonly string[]>;
  /** Takes them away again. Never throws. */
  abandon(): Promise<void>;
}

/** A place that takes disks as files. Methods throw UserError. */
export interface FilesPlace {
  /** As a person writes it: `dir:out`, `release:org/app@v1`. */
  readonly name: string;
  /** `obsolete` names files that the disk had before and has no longer; they go when `files` are shown. */
  stage(files: readonly MadeFile[], obsolete?: readonly string[]): Promise<StagedFiles>;
  /** Ends it, when all disks of the run are finished; `isWhole` says whether each that should be there is. */
  close(isWhole: boolean): Promise<void>;
}

/**
 * How the files of a disk are called before their endings: what GitHub takes for the name of an asset without changing it, and every file system.
 */
export const fileStem = (name: string, system: System): string => `${name.replaceAll('/', '-')}-${system}`;

/** Digests of files by their names. */
export type Sums = ReadonlyMap<string, Digest>;

/** Lines as sha256sum writes and reads them, by name; `comments` say what to do with the files. */
export const sumsText = (sums: Sums, comments: readonly string[] = []): string =>
  [
    ...comments.map((comment) => `# ${comment}`),
    ...[...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, digest]) => `${digestHex(digest)}  ${name}`),
    '',
  ].join('\n');

/** Reads such lines; others are left out. */
export function parseSums(text: string): Map<string, Digest> {
  const found = new Map<string, Digest>();
  for (const line of text.split('\n')) {
    const [, hex, name] = /^([0-9a-f]{64}) [ *]([^/\\]+)$/.exec(line) ?? [];
    if (hex !== undefined && name !== undefined) found.set(name, `sha256:${hex}` as Digest);
  }
  return found;
}
