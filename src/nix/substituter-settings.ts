import type { SigningKey } from './signing-key.ts';

interface SubstituterFacts extends Pick<SigningKey, 'publicKey'> {
  /** Whether another process may have answered at the same URL before. */
  readonly mayBeKnown: boolean;
}

/**
 * Lines of nix.conf by which Nix takes paths from a binary cache, and stays able to build: without `fallback`, a NAR that
 * cannot be fetched fails the build. At a URL that may be known, answers "not there" are not remembered (an hour, by default), for
 * they may be those of another index. Everywhere else they are: Nix has no such setting for one cache alone, and would ask every
 * cache before this one again for each path that is here, twice and one after another.
 */
export const substituterLines = (url: string, { publicKey, mayBeKnown }: SubstituterFacts): readonly string[] => [
  `extra-substituters = ${url}`,
  `extra-trusted-public-keys = ${publicKey}`,
  'fallback = true',
  ...(mayBeKnown ? ['narinfo-cache-negative-ttl = 0'] : []),
];

/**
 * The line by which Nix reads such lines from a file, if it is there, whenever it starts. So removing the file ends the
 * setting for all commands to come, in whatever step, and the secret in it is in no environment.
 */
export const includeLine = (file: string): string => `!include ${file}`;
