import { UserError } from '../core/error.ts';
import type { Definition } from '../definition/definition.ts';
import { type ToolImageContent, toolImageKey } from '../definition/image-key.ts';
import { CODECS, type Compression } from '../oci/compression.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { dockerType } from '../oci/media-type.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import type { Layer } from './layer.ts';
import type { LayerOutcome } from './layer-outcome.ts';

/** One platform's image that is about to be written, from any source; `writeImage` takes it to its destinations. */
export interface Image {
  readonly system: System;
  /** Names what the image is made of: see `definitionKey`. */
  readonly key: string;
  /** The lowest first. */
  readonly layers: readonly Layer[];
  /** How many of the lowest layers are those of its base. */
  readonly inherited: number;
  /** Whose media types it has. */
  readonly format: Definition['format'];
  /** What its plain layers are compressed with. */
  readonly compression: Compression;
  /** What its maker says of it; what is known of this run, and the project's own annotations, are added. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The bytes of its config. */
  config(written: WrittenImage): Uint8Array;
  /** Gets layers ready together, before the first of them is opened: what cannot be made is found before anything is sent. */
  prepare?(layers: readonly Layer[]): Promise<void>;
  close(): Promise<void>;
}

/** What all images have in common that other tools made: their plain layers are compressed, and nothing is below them. */
export const imageOfTool = (
  content: ToolImageContent,
  system: System,
): Pick<Image, 'system' | 'key' | 'inherited' | 'format' | 'compression'> => ({
  system,
  key: toolImageKey(content, system),
  // Every layer is read here, or is known to be one that was.
  inherited: 0,
  format: 'oci',
  compression: { name: 'gzip', level: CODECS.gzip.usual },
});

/** What is known of an image when all its layers are written. */
interface WrittenImage {
  /** Of all layers, the base's too. */
  readonly diffIds: readonly Digest[];
  /** When it was made, RFC 3339, as the run says that made it first. */
  readonly created: string;
}

/** An image that every destination has, by digest and under no tag. */
export interface BuiltImage {
  readonly system: System;
  readonly manifest: StoredManifest;
  readonly config: { readonly descriptor: Descriptor; readonly bytes: Uint8Array };
  readonly layers: readonly Descriptor[];
  /** What became of its layers, in their order; undefined of a disk. */
  readonly outcomes?: readonly LayerOutcome[];
  /** Small layers that say what is in it, such as the positions of a disk: handovers and reports have them always. */
  readonly documents?: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}

/**
 * The media type under which a format has something. Layers are made and reused under OCI's names; only in a manifest,
 * where all of them are named together, Docker's come in. Throws UserError `definition` for what Docker has no name for.
 */
export function inFormat(format: Image['format'], mediaType: string): string {
  if (format === 'oci') return mediaType;
  const name = dockerType(mediaType);
  if (name !== undefined) return name;
  throw new UserError(
    'definition',
    `format: a layer of the base is ${mediaType}, which Docker's format does not allow`,
    {
      hint: 'Take a base whose layers are packed with gzip, or leave out format = "docker".',
    },
  );
}
