import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** A layer of an image that another tool has laid out. */
export interface ForeignLayer {
  /** For messages: where the layer lies. */
  readonly name: string;
  /** What its maker says the SHA-256 of its tar is; nothing is sent under it before the bytes have been hashed. */
  readonly diffId: Digest;
  /** What its maker says of the bytes as they lie; reading checks them against it. Undefined where nothing is said. */
  readonly descriptor: Descriptor | undefined;
  /** Whether the descriptor's digest was computed from the bytes already. */
  readonly hashed: boolean;
  read(): AsyncIterable<Uint8Array>;
}

/** One platform's image of another maker, opened. */
export interface ForeignImage {
  /** For messages: where the image lies. */
  readonly name: string;
  readonly layers: readonly ForeignLayer[];
  readonly annotations: Readonly<Record<string, string>>;
  /** The bytes of the config of an image with these layers. */
  config(diffIds: readonly Digest[]): Uint8Array;
  close(): Promise<void>;
}
