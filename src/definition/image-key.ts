import { createHash } from 'node:crypto';
import { canonicalJson, type Json } from '../core/canonical-json.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { System } from '../oci/system.ts';
import { TAR_PROFILE_VERSION } from '../tar/profile.ts';
import type { Definition } from './definition.ts';

/**
 * The rules by which a definition and its closure become an image, beside those of the tar files: layer plan, merged
 * root, config, manifest, codecs. Any change that can alter an image of an equal definition raises the version: images
 * made by other rules are then built again.
 */
const IMAGE_PROFILE_VERSION = 2;

/** The annotation that carries an image's key: on its manifest, and on its entry in an index. */
const KEY_ANNOTATION = 'io.nix-images.image.key';

const KEY = /^[0-9a-f]{64}$/;

/** Whether a text can be an image's key: 64 hexadecimal digits. */
export const isImageKey = (text: string): boolean => KEY.test(text);

/** An image that another tool makes, by its store path. */
export interface ToolImageContent {
  readonly kind: 'archive' | 'stream' | 'nix2container' | 'disk';
  readonly outPath: string;
}

/** The same for what only images over a base know: how their root is merged with it. */
const BASE_PROFILE_VERSION = 1;

const keyOf = (value: { readonly [name: string]: Json }): string =>
  createHash('sha256')
    .update(canonicalJson({ profile: [IMAGE_PROFILE_VERSION, TAR_PROFILE_VERSION], ...value }))
    .digest('hex');

/**
 * What an image is made of for one system, as 64 hexadecimal digits: equal keys, equal images. Known without building:
 * store paths stand for their content, for Nix makes them by what goes into it. Name and tag say where an image goes,
 * not what it is, tests look at it, where it is built changes the store paths or nothing, and a derivation may change (another mirror of a source) without its path; none of
 * them counts.
 */
export function definitionKey(definition: Definition, system: System): string {
  const { name: _name, tag: _tag, tests: _tests, buildSystem: _builder, roots, ...said } = definition;
  const { created, format, replaceable, ...rest } = said;
  // Left out where they are empty, so that images made before these fields existed keep their key.
  const content = {
    ...rest,
    ...(created === null ? {} : { created }),
    ...(format === 'oci' ? {} : { format }),
    ...(replaceable.length === 0 ? {} : { replaceable }),
  };
  const paths = [...new Set(roots.map(({ outPath }) => outPath))].sort();
  const overBase = definition.fromImage === null ? {} : { overBase: BASE_PROFILE_VERSION };
  return keyOf({ kind: 'definition', ...overBase, definition: { ...content, system, roots: paths } as Json });
}

/** The same for an image of another maker. */
export const toolImageKey = ({ kind, outPath }: ToolImageContent, system: System): string =>
  keyOf({ kind, outPath, system });

/** What a manifest says of its key. */
export const keyAnnotation = (key: string): Record<string, string> => ({ [KEY_ANNOTATION]: key });

/** The key in the annotations of a manifest or of an entry in an index; undefined where there is no valid one. */
export function annotatedKey({ annotations }: Pick<Descriptor, 'annotations'>): string | undefined {
  const key = annotations?.[KEY_ANNOTATION];
  return key !== undefined && isImageKey(key) ? key : undefined;
}
