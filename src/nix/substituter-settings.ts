import type { SigningKey } from './signing-key.ts';

/**
 * Lines of nix.conf by which Nix takes paths from a binary cache, and stays able to build: without `fallback`, a NAR that
 * cannot be fetched fails the build. Answers "not there" are not remembered, for the next step may find the path.
 */
export const substituterLines = (url: string, { publicKey }: Pick<SigningKey, 'publicKey'>): readonly string[] => [
  `extra-substituters = ${url}`,
  `extra-trusted-public-keys = ${publicKey}`,
  'fallback = true',
  'narinfo-cache-negative-ttl = 0',
];

/**
 * The line by which Nix reads such lines from a file, if it is there, whenever it starts. So removing the file ends the
 * setting for all commands to come, in whatever step, and the secret in it is in no environment.
 */
export const includeLine = (file: string): string => `!include ${file}`;
