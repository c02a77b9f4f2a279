import { createHash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import type { Descriptor } from './descriptor.ts';
import { type Digest, digestOf, endDigest } from './digest.ts';

/** The error for bytes that are not what their descriptor promised; `where` names the place they came from. */
export const digestMismatch = (where: string, descriptor: Descriptor, found: string): UserError =>
  new UserError('digest', `${where}: expected ${descriptor.digest} with ${descriptor.size} bytes, found ${found}`, {
    hint: 'The data is damaged or was changed. Do not use it; build or push the image again.',
  });

/** Follows bytes as they pass and says at the end whether they were those of a descriptor. */
export class DigestCheck {
  readonly #hash = createHash('sha256');
  #size = 0;

  get size(): number {
    return this.#size;
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  /** Ends the check and returns what the bytes' digest is. */
  digest(): Digest {
    return endDigest(this.#hash);
  }

  /** Ends the check. Throws UserError `digest` when size or digest differ from the descriptor's. */
  finish(descriptor: Descriptor, where: string): void {
    const digest = this.digest();
    if (digest !== descriptor.digest || this.#size !== descriptor.size) {
      throw digestMismatch(where, descriptor, `${digest} with ${this.#size}`);
    }
  }
}

/** Throws UserError `digest` unless `bytes` are what `descriptor` names. */
export function checkBytes(bytes: Uint8Array, descriptor: Descriptor, where: string): void {
  const digest = digestOf(bytes);
  if (digest !== descriptor.digest || bytes.length !== descriptor.size) {
    throw digestMismatch(where, descriptor, `${digest} with ${bytes.length}`);
  }
}
