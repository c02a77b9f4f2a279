/** Paths in one command: at 300 bytes the longest, well below the 2 MiB that Linux allows for arguments. */
const CHUNK = 2000;

/** `items` in groups, each short enough to be the arguments of one command. */
export const chunks = <T>(items: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, index) =>
    items.slice(index * CHUNK, (index + 1) * CHUNK),
  );
