import { withoutOwn } from '../image/annotations.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import { indexBytes } from '../image/manifest.ts';
import { MEDIA_TYPE } from '../image/media-type.ts';
import { UserError } from '../io/error.ts';
import type { Log } from '../io/log.ts';
import { mapParallel } from '../io/parallel.ts';
import { copyBlob } from '../registry/copy.ts';
import type { Repository, StoredManifest } from '../registry/repository.ts';
import { type Child, indexEntry } from './child.ts';
import type { Target } from './target.ts';

/** Blobs copied or looked up at once for each destination: enough to hide the latency of a registry. */
const BLOBS_AT_ONCE = 4;

export interface PublishedIndex {
  readonly index: StoredManifest;
  readonly children: readonly Child[];
}

/**
 * Assembles the index over `children`, brings everything to every target, reads it back there, and only when all
 * targets are right moves the tags: in the targets' order, so those that appear at their place only at `close` (archives)
 * belong first. Throws UserError: up to the read-back no tag has moved anywhere; where a tag itself is refused, those
 * before it have.
 */
export async function publishIndex(
  children: readonly Child[],
  targets: readonly Target[],
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<PublishedIndex> {
  const index = assembleIndex(children);
  const sent = new Map(children.map((child) => [child, child.bytesSent]));
  for (const { repository } of targets) {
    for (const child of children) {
      const before = repository.bytesSent;
      await bring(child, repository, signal);
      sent.set(child, (sent.get(child) ?? 0) + repository.bytesSent - before);
    }
    await repository.putManifest(index);
    await readBack(index, children, repository);
    log.info(`${repository.name}: ${index.digest} is there and reads back the same`);
  }
  // Layouts and archives know no signal: without this, Ctrl-C before the last step would not keep a tag from moving.
  signal.throwIfAborted();
  for (const { repository, tags } of targets) {
    for (const tag of tags) await repository.tag(tag, index);
    await repository.close();
  }
  return { index, children: children.map((child) => ({ ...child, bytesSent: sent.get(child) ?? 0 })) };
}

/** The index's bytes depend on its children alone: whatever all of them are annotated with by their makers, it is too. */
function assembleIndex(children: readonly Child[]): StoredManifest {
  const [first, ...others] = children.map((child) => withoutOwn(child.parsed.annotations));
  const shared = Object.entries(first ?? {}).filter(([key, value]) =>
    others.every((annotations) => annotations[key] === value),
  );
  const bytes = indexBytes(children.map(indexEntry), Object.fromEntries(shared));
  return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
}

async function bring(child: Child, to: Repository, signal: AbortSignal): Promise<void> {
  const { source, parsed } = child;
  if (!source) return;
  await mapParallel(parsed.layers, BLOBS_AT_ONCE, async (layer) => {
    if (source.layers !== source.rest && (await isGone(layer, source.layers, to)))
      throw layersGone(child, source.layers);
    await copyBlob(layer, source.layers, to, signal);
  });
  await copyBlob(parsed.config, source.rest, to, signal);
  await to.putManifest(child.manifest);
}

/** Whether a layer that a build job left in a registry is neither there nor here. */
const isGone = async (layer: Descriptor, left: Repository, to: Repository): Promise<boolean> =>
  !(await to.hasBlob(layer)) && (left.name === to.name || !(await left.hasBlob(layer)));

function layersGone(child: Child, where: Repository): UserError {
  const job = child.buildJob === undefined ? 'the build job' : `the build job \`${child.buildJob}\``;
  return new UserError('handover', `${where.name} has lost layers of the image for ${child.system}`, {
    hint: `Run ${job} for ${child.system} again, then this one. Registries that soon remove what no tag names keep it with \`staging-tag: true\`.`,
  });
}

/** Fetches manifests again and asks for every blob: what a client will do next must work. */
async function readBack(index: StoredManifest, children: readonly Child[], repository: Repository): Promise<void> {
  await expectManifest(index.digest, repository);
  for (const child of children) await expectManifest(child.manifest.digest, repository);
  const blobs = new Map<Digest, Descriptor>();
  for (const child of children)
    for (const blob of [child.parsed.config, ...child.parsed.layers]) blobs.set(blob.digest, blob);
  await mapParallel([...blobs.values()], BLOBS_AT_ONCE, async (blob) => {
    if (!(await repository.hasBlob(blob, { fresh: true }))) throw new LostError(`blob ${blob.digest}`, repository);
  });
}

async function expectManifest(digest: Digest, repository: Repository): Promise<void> {
  const found = await repository.getManifest(digest);
  if (found?.digest !== digest) throw new LostError(`manifest ${digest}`, repository);
}

/** A destination that took something and does not have it. */
export class LostError extends UserError {
  constructor(what: string, repository: Repository) {
    super('registry', `${repository.name} accepted ${what} but does not have it, or not in that size`, {
      hint: 'No tag was moved. Publish again with --no-reuse; if it stays so, the registry loses data or is being cleaned while it is written to.',
    });
  }
}
