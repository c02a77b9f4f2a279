import { generateKeyPairSync, sign } from 'node:crypto';
import type { StorePathInfo } from '../definition/closure.ts';
import { toNixHash } from './nar-hash.ts';

/** A key that a binary cache signs its paths with. */
export interface SigningKey {
  /** As `trusted-public-keys` takes it: `NAME:BASE64`. */
  readonly publicKey: string;
  /** The value of a narinfo's `Sig` for what Nix knows of a path. */
  sign(info: StorePathInfo): string;
}

/** What a signature is of: everything that Nix believes of a path (nix.dev, "Store path signatures"). */
const fingerprint = ({ path, narHash, narSize, references }: StorePathInfo): string =>
  ['1', path, toNixHash(narHash), String(narSize), [...references].sort().join(',')].join(';');

/**
 * A new Ed25519 key under `name`. Its secret half never leaves this process, so what it signs can be believed for as long
 * as the process lives and by whoever was told the public half.
 */
export function createSigningKey(name: string): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  return {
    publicKey: `${name}:${bytes.toString('base64')}`,
    sign: (info) => `${name}:${sign(null, Buffer.from(fingerprint(info)), privateKey).toString('base64')}`,
  };
}
