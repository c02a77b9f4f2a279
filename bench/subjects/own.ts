import { CASE_NAMES } from '../cases.ts';
import { IMAGE_FILE } from '../fixture/image-file.ts';
import { systemOfMachine } from '../fixture/system-of-machine.ts';
import { PROGRAM } from '../release.ts';
import type { Subject } from './subject.ts';

/** Values of `compression` that are measured; pigz stands among the bounds. */
export const OWN_CODECS = ['gzip', 'igzip', 'zstd', 'zstd:1'] as const;

export type OwnCodec = (typeof OWN_CODECS)[number];

/** What a client sees of it: all but zstd are ways to make gzip. */
export const formatOf = (compression: OwnCodec): Subject['codec'] => (compression.startsWith('zstd') ? 'zstd' : 'gzip');

/** What a user would type. `flags` are further ones. */
export const own = (
  compression: string,
  codec: Subject['codec'],
  version: string,
  name = `nix-images ${compression}`,
  flags: readonly string[] = [],
): Subject => ({
  name,
  kind: 'own',
  codec,
  version,
  once: false,
  cases: flags.length > 0 ? CASE_NAMES.filter((caseName) => caseName !== 'cold') : CASE_NAMES,
  input: 'store',
  commands: ({ inputs, reference }) => [
    { program: process.execPath, args: publishWords(inputs.nixWords, compression, `docker://${reference}`, flags) },
  ],
});

/** Words for Node that publish the image to `destination`. */
export const publishWords = (
  nixWords: readonly string[],
  compression: string,
  destination: string,
  flags: readonly string[] = [],
): readonly string[] => [
  PROGRAM,
  'publish',
  ...['--file', IMAGE_FILE, '--attr', 'image', '--system', systemOfMachine(), '--to', destination],
  ...[...nixWords, '--argstr', 'compression', compression].map((word) => `--nix-arg=${word}`),
  ...flags,
];
