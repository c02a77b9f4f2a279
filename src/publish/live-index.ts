import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { annotatedKey, definitionKey, toolImageKey } from '../definition/image-key.ts';
import { diskKeyOf } from '../disk-image/disk-key-of.ts';
import { isContainerImage } from '../nix/found-image.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isIndexType } from '../oci/media-type.ts';
import { parseImageManifest, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import { platformOf, platformText, type System } from '../oci/system.ts';
import type { ReadTag } from '../storage/read-tag.ts';
import type { PlatformInput } from './platform-input.ts';
import type { Target } from './target.ts';

/** An index that is what a publish would write. */
export interface LiveIndex {
  readonly index: StoredManifest;
  readonly manifests: readonly { readonly system: System; readonly digest: string }[];
}

/** What the entry of a part in the index must say: the key of its image, and its manifest where that is made already. */
function entryOf(part: PlatformInput): { readonly key: string | undefined; readonly digest?: string } {
  switch (part.kind) {
    case 'job': {
      const { evaluated, system } = part;
      if (!isContainerImage(evaluated)) return { key: diskKeyOf(evaluated) };
      if (evaluated.kind === 'tool-image') return { key: toolImageKey(evaluated.toolImage, system) };
      return { key: definitionKey(evaluated.definition, system) };
    }
    case 'published':
      return { key: part.key, digest: part.manifest };
    case 'made':
      return { key: part.key };
    case 'handover': {
      const { manifest } = part.handover;
      return { key: annotatedKey(parseImageManifest(manifest, part.origin)), digest: manifest.digest };
    }
  }
}

/** The manifests of an index that has these parts and nothing else; undefined of any other. */
function manifestsOf(index: StoredManifest, parts: readonly PlatformInput[]): LiveIndex['manifests'] | undefined {
  if (!isIndexType(index.mediaType)) return undefined;
  const { manifests } = parseIndex(index);
  if (manifests.length !== parts.length) return undefined;
  const found = parts.flatMap((part) => {
    const { key, digest } = entryOf(part);
    const entry = entryFor(part.system, manifests);
    if (!entry || key === undefined || annotatedKey(entry) !== key) return [];
    return digest === undefined || digest === entry.digest ? [{ system: part.system, digest: entry.digest }] : [];
  });
  return found.length === parts.length ? found : undefined;
}

/**
 * Whether an index that is published is certainly another one than a publish of `parts` would write: it has other platforms,
 * or an entry of another key or digest. What cannot be told may be the same.
 */
export function isOtherIndex(index: StoredManifest, parts: readonly PlatformInput[]): boolean {
  if (!isIndexType(index.mediaType)) return true;
  const { manifests } = parseIndex(index);
  if (manifests.length !== parts.length) return true;
  return parts.some((part) => {
    const { key, digest } = entryOf(part);
    const entry = entryFor(part.system, manifests);
    if (!entry) return true;
    return digest === undefined ? key !== undefined && annotatedKey(entry) !== key : digest !== entry.digest;
  });
}

function entryFor(system: System, manifests: readonly Descriptor[]): Descriptor | undefined {
  const wanted = platformText(platformOf(system));
  return manifests.find(({ platform }) => platform !== undefined && platformText(platform) === wanted);
}

/**
 * The index that a publish of `parts` would write, where every target has it under one of the tags that would be moved:
 * one request a tag, and by the keys in its entries, as a plan believes them. Undefined where any target has another, and
 * for files, which are looked at whole. Any doubt means that it is not live. Throws UserError `cancelled`.
 */
export async function liveIndex(
  parts: readonly PlatformInput[],
  targets: readonly Target[],
  read: ReadTag,
  log: Log,
): Promise<LiveIndex | undefined> {
  if (targets.length === 0 || targets.some(({ kind }) => kind !== 'registry')) return undefined;
  try {
    const tags = targets.flatMap(({ repository, tags }) => tags.map((tag) => ({ repository, tag })));
    const under = await Promise.all(
      tags.map(async ({ repository, tag }) => ({ repository, tag, index: await read(repository, tag) })),
    );
    for (const { index } of under) {
      const manifests = index && manifestsOf(index, parts);
      if (!index || !manifests) continue;
      const right = under.filter((other) => other.index?.digest === index.digest);
      const isEverywhere = targets.every(({ repository }) => right.some((each) => each.repository === repository));
      if (!isEverywhere) continue;
      return { index, manifests };
    }
  } catch (error) {
    if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
    log.info(`cannot read what is published: ${error.message}`);
  }
  return undefined;
}
