import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { backoff, type Clock, type RetryPolicy, sleep } from '../core/retry.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { indexBytes } from '../oci/manifest.ts';
import { isIndexType, MEDIA_TYPE } from '../oci/media-type.ts';
import { MANIFEST_LIMIT, parseIndex, type StoredManifest } from '../oci/read-manifest.ts';
import { mergeDescriptors, referrerOf } from '../oci/referrer.ts';
import type { Repository } from './destination.ts';
import { listUnderTag, referrersTag } from './referrers.ts';

/** Lists that are seen to at once; most of the time goes into waiting. */
const LISTS_AT_ONCE = 8;

/** How often a list is written before it is given up: each other writer costs a try or two. */
const WRITES = 10;
/** How often it is written without any change that can be seen: then the registry makes something else of the tag. */
const UNSEEN = 2;

/**
 * How long after a written list can be seen it is looked at again, in milliseconds: longer than others take from reading a list
 * to writing it, so that whoever read it before us has written by then.
 */
export const SETTLE = 1000;

/** Looks at a list until what was written can be seen: GHCR has shown one that was five seconds old. 0.25 s to 15 s in all. */
export const LOOKS: RetryPolicy = {
  attempts: 7,
  baseDelay: 500,
  maxDelay: 8000,
  maxRetryAfter: 0,
  totalTime: 30_000,
};

/** Looks at a registry's own list, which may come later than the answer to what is in it. */
const OWN_LOOKS: RetryPolicy = { ...LOOKS, attempts: 3 };

interface ListTools {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** @internal Stores a manifest that has a subject, and sees to it that it is listed. Throws as `listReferrers` does. */
export async function putReferrer(to: Repository, manifest: StoredManifest, tools: ListTools): Promise<void> {
  await to.putManifest(manifest);
  await listReferrers(to, [manifest], tools);
}

/**
 * Sees to it that `to`, which has these manifests, lists each that has a subject as what refers to it. Registries with the
 * referrers API do that by themselves; elsewhere the list is an index under a tag (distribution-spec 1.1, "Referrers Tag
 * Schema"), which others write too, and nothing locks it. So what was ever seen in it is written again until it stays there.
 * Throws UserError `registry` when the tag holds something else, or others keep changing it.
 */
export async function listReferrers(
  to: Repository,
  manifests: readonly StoredManifest[],
  tools: ListTools,
): Promise<void> {
  const bySubject = new Map<Digest, Descriptor[]>();
  for (const referrer of manifests.map(referrerOf)) {
    if (referrer === undefined || to.listsByItself(referrer.manifest.digest)) continue;
    const { subject, descriptor } = referrer;
    bySubject.set(subject, mergeDescriptors(bySubject.get(subject) ?? [], [descriptor]));
  }
  await mapParallel([...bySubject], LISTS_AT_ONCE, async ([subject, ours]) => {
    try {
      if (!(await isListed(to, subject, ours, tools))) await new TaggedList(to, subject, tools).keep(ours);
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      throw new UserError(error.code, `${to.name} cannot list what refers to ${subject}: ${error.message}`, {
        hint: error.hint ?? 'Copy without what refers to the image (--no-referrers).',
        docs: error.docs ?? 'registries.md#copies',
        cause: error.cause,
      });
    }
  });
}

const hasAll = (list: readonly Descriptor[], wanted: readonly Descriptor[]): boolean =>
  wanted.every(({ digest }) => list.some((one) => one.digest === digest));

/** Whether the place lists all of them, or comes to do so by itself. */
async function isListed(
  to: Repository,
  subject: Digest,
  ours: readonly Descriptor[],
  { clock, signal }: ListTools,
): Promise<boolean> {
  for (let look = 1; ; look += 1) {
    const { entries, isOwn } = await to.getReferrers(subject);
    if (hasAll(entries, ours)) return true;
    if (!isOwn || look >= OWN_LOOKS.attempts) return false;
    await sleep(clock, backoff(OWN_LOOKS, look, clock.random()), signal);
  }
}

/** The list under the tag of a manifest. */
class TaggedList {
  readonly #to: Repository;
  readonly #subject: Digest;
  readonly #tools: ListTools;
  /** All that was ever seen in the list, and what is to be in it. */
  #wanted: readonly Descriptor[] = [];
  #annotations: Readonly<Record<string, string>> = {};

  constructor(to: Repository, subject: Digest, tools: ListTools) {
    this.#to = to;
    this.#subject = subject;
    this.#tools = tools;
  }

  /** Writes the list with `ours` until they stay in it. */
  async keep(ours: readonly Descriptor[]): Promise<void> {
    await this.#look();
    this.#wanted = mergeDescriptors(this.#wanted, ours);
    let unseen = 0;
    for (let write = 1; write <= WRITES && unseen < UNSEEN; write += 1) {
      const became = await this.#write();
      if (became === 'kept') return;
      if (became === 'unseen') unseen += 1;
    }
    throw new UserError(
      'registry',
      `the list under the tag ${referrersTag(this.#subject)} does not keep what is added`,
      {
        hint: 'Others may be writing it at the same time: run again. If it stays so, the registry does not let clients keep such a list; leave out what refers to the image (--no-referrers).',
        docs: 'registries.md#copies',
      },
    );
  }

  /** Writes the list once: whether all of it is still there when others have had their time, or was never seen. */
  async #write(): Promise<'kept' | 'changed' | 'unseen'> {
    const { clock, signal } = this.#tools;
    const wanted = this.#wanted;
    await this.#to.tag(referrersTag(this.#subject), this.#encode());
    const written = clock.now();
    // A place of our own needs no second look.
    if (!this.#to.isShared) return this.#look();
    for (let look = 1; !hasAll(await this.#looked(), wanted); look += 1) {
      // Somebody else was faster, or slower.
      if (!hasAll(wanted, this.#wanted)) return 'changed';
      if (look >= LOOKS.attempts) return 'unseen';
      await sleep(clock, backoff(LOOKS, look, clock.random()), signal);
    }
    // Who reads what is so old may write that late, too.
    const lag = clock.now() - written;
    await sleep(clock, lag + SETTLE * (1 + clock.random()), signal);
    return this.#look();
  }

  /** Whether the list has all that is wanted, what others have added included. */
  async #look(): Promise<'kept' | 'changed'> {
    return hasAll(await this.#looked(), this.#wanted) ? 'kept' : 'changed';
  }

  async #looked(): Promise<readonly Descriptor[]> {
    const list = await listUnderTag(this.#to, this.#subject);
    if (list === undefined) return [];
    if (!isIndexType(list.mediaType)) {
      throw new UserError(
        'registry',
        `the tag ${referrersTag(this.#subject)} is not a list of referrers but ${list.mediaType}`,
        { hint: 'Clients keep that list under this tag: remove what is there, or give it another tag.' },
      );
    }
    const { manifests, annotations } = parseIndex(list);
    this.#annotations = { ...annotations, ...this.#annotations };
    // What we know of a manifest is from itself.
    this.#wanted = mergeDescriptors(manifests, this.#wanted);
    return manifests;
  }

  #encode(): StoredManifest {
    const bytes = indexBytes(this.#wanted, this.#annotations);
    if (bytes.length > MANIFEST_LIMIT) {
      throw new UserError('registry', `the list under the tag ${referrersTag(this.#subject)} would exceed 4 MiB`, {
        hint: 'Remove signatures and attestations that nobody needs any more.',
      });
    }
    return { bytes, mediaType: MEDIA_TYPE.index, digest: digestOf(bytes) };
  }
}
