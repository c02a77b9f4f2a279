import { UserError } from '../../core/error.ts';
import { isDisk } from '../../oci/disk-artifact.ts';
import { isImageEntry } from '../../oci/platform.ts';
import { type ManifestContent, parseManifest, type StoredManifest } from '../../oci/read-manifest.ts';
import { checkTag, familiarReference, parseReference, type Reference } from '../../oci/reference.ts';
import type { Repository } from '../destination.ts';
import { blobName } from '../layout/layout-folder.ts';
import { type ArchiveFormat, ArchiveRepository, type ArchiveState } from './archive-repository.ts';

type ImageContent = Extract<ManifestContent, { kind: 'image' }>;

const missing = (digest: string): UserError =>
  new UserError('file', `manifest ${digest} is not in the archive`, {
    hint: 'Write the images of an index before the index.',
  });

/** The one image that a tag names, directly or as the only child of an index. */
function imageOf(manifest: StoredManifest, { manifests }: ArchiveState): ImageContent {
  const content = parseManifest(manifest);
  if (content.kind === 'image' && isDisk(content)) {
    throw new UserError('input', 'a docker-archive holds container images, and this is a disk', {
      hint: 'Write an oci-archive, or fetch the disk with nix-images pull.',
    });
  }
  if (content.kind === 'image') return content;
  const [first, ...others] = content.manifests.filter(isImageEntry);
  if (first === undefined || others.length > 0) {
    throw new UserError(
      'platforms',
      `a docker-archive holds one platform; this index has ${others.length + (first ? 1 : 0)}`,
      {
        hint: 'Name one system (--system), or write an oci-archive, which holds all of them.',
      },
    );
  }
  const child = manifests.get(first.digest);
  if (child === undefined) throw missing(first.digest);
  return imageOf(child, { manifests, tags: new Map() });
}

/** What docker shows as REPOSITORY:TAG; a tag with a name of its own is taken as it is. */
function repoTag(tag: string, name: Reference | undefined): string | undefined {
  if (tag.includes(':')) return familiarReference(parseReference(tag));
  if (name === undefined) return undefined;
  return familiarReference({ host: name.host, repository: name.repository, tag });
}

const entryOf = ({ config, layers }: ImageContent, repoTags: readonly string[]) => ({
  Config: blobName(config.digest),
  RepoTags: repoTags.length > 0 ? repoTags : null,
  Layers: layers.map(({ digest }) => blobName(digest)),
});

/** docker's `manifest.json` (moby, `image/spec/v1.2.md`, "Combined Image JSON + Filesystem Changeset Format"). */
function manifestJson(state: ArchiveState, name: Reference | undefined): Buffer {
  const images = new Map<string, { readonly content: ImageContent; readonly repoTags: string[] }>();
  for (const [tag, { manifest }] of state.tags) {
    const content = imageOf(manifest, state);
    const image = images.get(content.config.digest) ?? { content, repoTags: [] };
    images.set(content.config.digest, image);
    const text = repoTag(tag, name);
    if (text !== undefined) image.repoTags.push(text);
  }
  return Buffer.from(JSON.stringify([...images.values()].map(({ content, repoTags }) => entryOf(content, repoTags))));
}

const formatFor = (name: Reference | undefined): ArchiveFormat => ({
  kind: 'docker-archive',
  imageName: name && familiarReference({ host: name.host, repository: name.repository }),
  keepsManifests: false,
  checkTag: (tag, manifest, state) => {
    if (tag.includes(':')) parseReference(tag);
    else checkTag(tag);
    imageOf(manifest, state);
  },
  closingFiles: (state) => [{ name: 'manifest.json', bytes: manifestJson(state, name) }],
});

/**
 * Writes what `docker load` and `podman load` take: one platform, layers compressed as they are. `name` is the
 * repository that tags belong to; without one the image is loaded without a name, or `tag` is given as name:tag.
 */
export const createDockerArchive = (path: string, name: Reference | undefined): Repository =>
  new ArchiveRepository(path, formatFor(name));
