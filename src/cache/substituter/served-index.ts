import { storeHash } from '../../definition/store-path.ts';
import { narinfoText } from '../../nix/narinfo.ts';
import type { SigningKey } from '../../nix/signing-key.ts';
import { type CachedPath, type CacheIndex, packedSize } from '../cache-index.ts';

/** The paths of an index as a binary cache names them. */
export class ServedIndex {
  readonly #key: SigningKey;
  /** By the 32 characters that a path begins with. */
  readonly #paths: ReadonlyMap<string, CachedPath>;

  constructor(index: CacheIndex, key: SigningKey) {
    this.#key = key;
    this.#paths = new Map(index.paths.map((path) => [storeHash(path.path), path]));
  }

  find(hash: string): CachedPath | undefined {
    return this.#paths.get(hash);
  }

  /**
   * The frame goes to Nix as it is: it was unpacked to be checked, and what was unpacked is not kept. Nix 2.4 and later
   * read zstd themselves.
   */
  narinfo(path: CachedPath): string {
    const nar = { url: narUrl(path), compression: 'zstd', fileSize: packedSize(path) } as const;
    return narinfoText(path, nar, this.#key);
  }
}

const NAR_FOLDER = 'nar';
const NAR_END = '.nar.zst';
const NARINFO_END = '.narinfo';

const narUrl = ({ path }: CachedPath): string => `${NAR_FOLDER}/${storeHash(path)}${NAR_END}`;

/** What a request is for. */
export type Asked =
  | { readonly kind: 'cache-info' }
  | { readonly kind: 'narinfo'; readonly hash: string }
  | { readonly kind: 'nar'; readonly hash: string };

/** Reads the part of a URL's path behind the secret; undefined for anything that a binary cache does not have. */
export function parseAsked(parts: readonly string[]): Asked | undefined {
  const [first = '', second] = parts;
  if (parts.length === 1) {
    if (first === 'nix-cache-info') return { kind: 'cache-info' };
    return first.endsWith(NARINFO_END) ? { kind: 'narinfo', hash: first.slice(0, -NARINFO_END.length) } : undefined;
  }
  if (parts.length !== 2 || first !== NAR_FOLDER || !second?.endsWith(NAR_END)) return undefined;
  return { kind: 'nar', hash: second.slice(0, -NAR_END.length) };
}
