import { UserError } from '../core/error.ts';
import { type Journal, NO_JOURNAL, type SentChunk } from '../image/journal.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { copyBlobToAll } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { ImageSource } from '../storage/source.ts';
import type { PreviousDisk } from './previous-disk.ts';

/** A blob that holds a piece, and the places that say so. */
interface KnownChunk {
  readonly descriptor: Descriptor;
  readonly sources: readonly { readonly repository: ImageSource; readonly forAll: boolean }[];
}

/** What of the journal is about chunks. */
type ChunkJournal = Pick<Journal, 'chunks' | 'addChunk' | 'holderOf'>;

/**
 * The chunks of disks before, by what they hold. What a disk at a destination says counts for that destination alone: whoever can write a mirror
 * must not choose what gets into the main registry. Disks that the workflow names, and what this machine has sent in a publish that was interrupted, count for all.
 */
export class ChunkReuse {
  readonly #chunks: ReadonlyMap<Digest, readonly KnownChunk[]>;
  readonly #sent: ReadonlyMap<Digest, Descriptor>;
  readonly #lengths: ReadonlySet<number>;
  readonly #journal: ChunkJournal;

  constructor(disks: readonly PreviousDisk[], journal: ChunkJournal = NO_JOURNAL) {
    const all = disks.flatMap(({ repository, forAll, layers }) =>
      layers.chunks.map((chunk) => ({ chunk, repository, forAll })),
    );
    this.#journal = journal;
    this.#sent = new Map(journal.chunks.map(({ content, descriptor }) => [content, descriptor]));
    this.#lengths = new Set([...all.map(({ chunk }) => chunk), ...journal.chunks].map(({ length }) => length));
    this.#chunks = new Map(
      [...Map.groupBy(all, ({ chunk }) => chunk.content)].map(([content, same]) => [
        content,
        [...Map.groupBy(same, ({ chunk }) => chunk.descriptor.digest).values()].flatMap((sources): KnownChunk[] => {
          const [first] = sources;
          if (first === undefined) return [];
          const { mediaType, digest, size } = first.chunk.descriptor;
          return [{ descriptor: { mediaType, digest, size }, sources }];
        }),
      ]),
    );
  }

  /** The same that knows of no chunk: all of them are made, and still noted. */
  withoutAny(): ChunkReuse {
    const { addChunk, holderOf } = this.#journal;
    return new ChunkReuse([], { chunks: [], addChunk, holderOf });
  }

  /** Whether a piece of so many bytes may be known, so that it is worth hashing before anything else. */
  mayHave(length: number): boolean {
    return this.#lengths.has(length);
  }

  /** Notes a chunk that a destination has now, for a publish that goes on where this one was interrupted. */
  remember(chunk: SentChunk): Promise<void> {
    return this.#journal.addChunk(chunk);
  }

  /**
   * The blob of a piece, which every destination has afterwards; undefined where none is known for all of them, or it is gone. Throws UserError
   * `cancelled` only.
   */
  async find(
    content: Digest,
    destinations: readonly Repository[],
    signal: AbortSignal,
  ): Promise<Descriptor | undefined> {
    const known = (this.#chunks.get(content) ?? []).find(({ sources }) =>
      destinations.every((to) => sources.some(({ repository, forAll }) => forAll || repository === to)),
    );
    try {
      if (known === undefined) return await this.#findSent(content, destinations, signal);
      const { descriptor, sources } = known;
      // The blob of a live manifest in the same repository is there; all others are asked for, mounted or copied.
      const others = destinations.filter((to) => !sources.some(({ repository }) => repository === to));
      const [source] = sources;
      if (source && others.length > 0) await copyBlobToAll(descriptor, source.repository, others, { signal });
      return descriptor;
    } catch (error) {
      if (error instanceof UserError && error.code !== 'cancelled') return undefined;
      throw error;
    }
  }

  async #findSent(
    content: Digest,
    destinations: readonly Repository[],
    signal: AbortSignal,
  ): Promise<Descriptor | undefined> {
    const descriptor = this.#sent.get(content);
    if (descriptor === undefined) return undefined;
    const holder = await this.#journal.holderOf(descriptor);
    if (holder === undefined) return undefined;
    const others = destinations.filter((to) => to !== holder);
    if (others.length > 0) await copyBlobToAll(descriptor, holder, others, { signal });
    return descriptor;
  }
}
