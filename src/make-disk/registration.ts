import type { Closure } from '../definition/closure.ts';

/** Name of the file in /nix/store, as nixpkgs' live systems have it: `nix-store --load-db < /nix/store/nix-path-registration`. */
export const REGISTRATION_NAME = 'nix-path-registration';

/**
 * What makes the paths of a closure valid in Nix's database: the text that `nix-store --dump-db` prints and `--load-db` reads. Each path
 * has lines of its own: path, SHA-256 of its NAR in base 16, size of the NAR, deriver (none, for it may differ from
 * machine to machine), number of references, and each reference.
 */
export const registrationText = (closure: Closure): string => closure.map(registrationOf).join('');

function registrationOf({ path, narHash, narSize, references }: Closure[number]): string {
  const hash = Buffer.from(narHash.slice('sha256-'.length), 'base64').toString('hex');
  const sorted = [...references].sort();
  return `${[path, hash, narSize, '', sorted.length, ...sorted].join('\n')}\n`;
}
