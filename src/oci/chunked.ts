/**
 * What a descriptor says of a layer that is zstd:chunked, under the names that containers/storage reads
 * (pkg/chunked/internal/minimal/compression.go).
 */

/** SHA-256 of the table of contents as it lies in the layer, compressed. */
const CHECKSUM = 'io.github.containers.zstd-chunked.manifest-checksum';
/** Where it lies: OFFSET:LENGTH:UNPACKED:TYPE, all in bytes but the type. */
const TOC = 'io.github.containers.zstd-chunked.manifest-position';
/** The same, without a type, of what the tar has beside the contents of files. */
const TAR_SPLIT = 'io.github.containers.zstd-chunked.tarsplit-position';
/** Our own: why a layer that was to be zstd:chunked is plain zstd, so that it is not made again for that. */
const PLAIN = 'io.nix-images.layer.not-chunked';

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
  [CHECKSUM]: checksum,
  [TOC]: `${partText(toc)}:${TOC_TYPE}`,
  [TAR_SPLIT]: partText(tarSplit),
});

/** What a layer says that could not be zstd:chunked. */
export const plainAnnotation = (why: string): Record<string, string> => ({ [PLAIN]: why });

const VALID: readonly (readonly [string, RegExp])[] = [
  [CHECKSUM, /^sha256:[0-9a-f]{64}$/],
  [TOC, /^\d{1,15}:\d{1,15}:\d{1,15}:1$/],
  [TAR_SPLIT, /^\d{1,15}:\d{1,15}:\d{1,15}$/],
];

/**
 * Of a layer's annotations, those by which it counts as zstd:chunked: where its parts are, or why it has none. Undefined for any other layer,
 * and where one of them is missing or not valid.
 */
export function asChunked(annotations: Readonly<Record<string, string>> = {}): Record<string, string> | undefined {
  const why = annotations[PLAIN];
  if (why !== undefined) return plainAnnotation(why);
  const found = VALID.flatMap(([name, pattern]): [string, string][] => {
    const value = annotations[name];
    return value !== undefined && pattern.test(value) ? [[name, value]] : [];
  });
  return found.length === VALID.length ? Object.fromEntries(found) : undefined;
}
