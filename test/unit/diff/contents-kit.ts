import { createHash } from 'node:crypto';
import type { Contents } from '../../../src/diff/contents.ts';

/** A store path of a name, and of a build of it. */
export const storePath = (name: string, build = ''): string => {
  const hash = createHash('sha256').update(`${name} ${build}`).digest('hex').replaceAll('e', 'z').slice(0, 32);
  return `/nix/store/${hash}-${name}`;
};

/** An image of `[name, bytes]` or `[name, bytes, build]`, and of layers `[digest, bytes]`. */
export const contents = (
  platform: string,
  paths: readonly (readonly [string, number | null, string?])[] | null,
  layers: readonly (readonly [string, number])[] | null = [],
): Contents => ({
  platform,
  digest: layers && `sha256:${platform}`,
  layers: layers?.map(([digest, size]) => ({ digest, size })) ?? null,
  paths: paths?.map(([name, size, build]) => ({ path: storePath(name, build), size })) ?? null,
});
