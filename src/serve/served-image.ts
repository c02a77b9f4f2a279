import type { ContainerConfig } from '../oci/container-config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import type { ByteStream } from './answer.ts';

/** Bytes that are served under their digest. */
export interface ServedBlob {
  readonly descriptor: Descriptor;
  /** What is in it, in a few words. */
  readonly title: string;
  /** The bytes from byte `from` on. */
  open(from: number): ByteStream;
}

interface ServedConfig extends Pick<ContainerConfig, 'ExposedPorts' | 'Volumes'> {
  /** Whether it says what is started; true where that is not known. */
  readonly hasCommand: boolean;
}

/** One platform's image, whose layers can be read until it is closed. */
export interface ServedPlatform {
  readonly system: System;
  /** What it is made of; see `definitionKey`. */
  readonly key: string;
  readonly manifest: StoredManifest;
  readonly configDigest: Digest;
  /** How a container of it starts. */
  readonly config: ServedConfig;
  /** Digests of its layers, the lowest first. */
  readonly layers: readonly Digest[];
  /** Config and layers. */
  readonly blobs: ReadonlyMap<Digest, ServedBlob>;
  /** Whether a layer came out otherwise than its digest says: the image is then made again. */
  isDamaged(): boolean;
  close(): Promise<void>;
}

/** An image under its tags, as its definition was at one time. */
export interface ServedImage {
  readonly tags: readonly string[];
  readonly index: StoredManifest;
  /** This machine's own first. */
  readonly platforms: readonly ServedPlatform[];
}
