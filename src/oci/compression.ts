import { z } from 'zod';

/**
 * How layers are compressed: the field `compression` of an image definition, NAME or NAME:LEVEL. The name alone says what
 * compresses; what happens to be on PATH never does.
 */

interface Limits {
  readonly least: number;
  readonly most: number;
  /** The level where none is stated. */
  readonly usual: number;
}

/** The codecs, and the levels that each takes. */
export const CODECS = {
  // Level 6 is half as fast and 8 % smaller, and compression is most of what a cold push costs; 1 is 5 % faster and 2 % larger.
  gzip: { least: 1, most: 9, usual: 2 },
  // zstd's own; 1 is a third faster and a tenth larger. From 20 on clients need more memory to unpack than many allow.
  zstd: { least: 1, most: 19, usual: 3 },
  // The same, in frames that follow files.
  'zstd:chunked': { least: 1, most: 19, usual: 3 },
  // igzip's own; all its levels are faster than the disk, and 3 takes half as long again for 2 %.
  igzip: { least: 0, most: 3, usual: 2 },
  // pigz's own, and gzip's: who names pigz wants the size that the world is used to, from every core.
  pigz: { least: 1, most: 9, usual: 6 },
} as const satisfies Record<string, Limits>;

export type CodecName = keyof typeof CODECS;

/** A codec with its level, which is always within the codec's limits. */
export type Compression = {
  readonly name: CodecName;
  readonly level: number;
};

const ENTRIES = Object.entries(CODECS) as [CodecName, Limits][];

/** `(1|2|…|9)`: levels spelt out, for Nix reads the pattern as well, and POSIX expressions know no numbers. */
const levels = ({ least, most }: Limits): string =>
  `(${Array.from({ length: most - least + 1 }, (_, at) => least + at).join('|')})`;

const PATTERN = new RegExp(`^(${ENTRIES.map(([name, limits]) => `${name}(:${levels(limits)})?`).join('|')})$`);

const EXPECTED = `${ENTRIES.map(([name]) => name).join(', ')}, or one of them with a level: ${ENTRIES.map(
  ([name, { least, most }]) => `${name}:${least} to ${name}:${most}`,
).join(', ')}`;

/** Reads the text form, NAME[:LEVEL]; the JSON schema has its pattern, and as description what is allowed. */
export const compressionSchema = z
  .string()
  .regex(PATTERN, { error: ({ input }) => `${JSON.stringify(input)} is not a valid codec; expected ${EXPECTED}` })
  .describe(EXPECTED)
  .transform((text): Compression => {
    const [, name, level] = /^(.*?)(?::(\d+))?$/.exec(text) as unknown as [string, CodecName, string?];
    return { name, level: level === undefined ? CODECS[name].usual : Number(level) };
  });

/** Whether clients get layers as zstd, whose media type Docker's format does not have. */
export const isZstd = ({ name }: Pick<Compression, 'name'>): boolean => name === 'zstd' || name === 'zstd:chunked';
