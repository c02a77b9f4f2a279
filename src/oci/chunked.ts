import { plainLine } from '../core/printable.ts';

/**
 * What a descriptor says of a layer that is zstd:chunked, under the names that containers/storage reads
 * (pkg/chunked/internal/minimal/compression.go).
 */
export const CHUNKED = {
  /** SHA-256 of the table of contents as it lies in the layer, compressed. */
  checksum: 'io.github.containers.zstd-chunked.manifest-checksum',
  /** Where it lies: OFFSET:LENGTH:UNPACKED:TYPE, all in bytes but the type. */
  toc: 'io.github.containers.zstd-chunked.manifest-position',
  /** The same, without a type, of what the tar has beside the contents of files. */
  tarSplit: 'io.github.containers.zstd-chunked.tarsplit-position',
  /** Our own: why a layer that was to be zstd:chunked is plain zstd, so that it is not made again for that. */
  plain: 'io.nix-images.layer.not-chunked',
} as const;

/** The type of a table of contents: the only one there is. */
export const TOC_TYPE = 1;

/** Where something lies in a layer; `unpacked` is its size when it is decompressed, all in bytes. */
export interface LayerPart {
  readonly offset: number;
  readonly length: number;
  readonly unpacked: number;
}

const partText = ({ offset, length, unpacked }: LayerPart): string => `${offset}:${length}:${unpacked}`;

/** What a layer says of its parts; `checksum` as `sha256:` and hexadecimal digits. */
export const chunkedAnnotations = (checksum: string, toc: LayerPart, tarSplit: LayerPart): Record<string, string> => ({
  [CHUNKED.checksum]: checksum,
  [CHUNKED.toc]: `${partText(toc)}:${TOC_TYPE}`,
  [CHUNKED.tarSplit]: partText(tarSplit),
});

/** Characters of the reason in a descriptor: it may hold a file's name, which manifests are not to grow by. */
export const REASON_LIMIT = 200;

/** What a layer says that could not be zstd:chunked: `why`, as one line and not longer than a descriptor needs. */
export const plainAnnotation = (why: string): Record<string, string> => ({
  [CHUNKED.plain]: [...plainLine(why)].slice(0, REASON_LIMIT).join(''),
});
