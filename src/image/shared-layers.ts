import { UserError } from '../core/error.ts';
import { Gate } from '../core/gate.ts';
import { OnceEach } from '../core/once-each.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import type { Compression } from '../oci/compression.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type CopyTools, copyBlobToAll } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { Layer, StoredLayer } from './layer.ts';
import { keyOf } from './send-layer.ts';

/** Layers whose bytes pass through this thread at once: more only take memory. */
const STREAMS_AT_ONCE = 3;

/** Layers that are under way at once: one for each thread, and for every four of them one that is still being sent while all make others. */
export const underWay = (threads: number): number => threads + Math.ceil(threads / 4);

/** A layer that one image has at all of its destinations. */
interface MadeLayer {
  readonly stored: StoredLayer;
  readonly from: Repository;
}

/** The threads of a process, while an image uses them. */
export interface Threads {
  readonly writer: LayerWriter;
  /** Places among the layers that are made and sent at once. */
  readonly sending: Gate;
}

/**
 * What the images of one process share: the threads, the places among what is under way, so that several at once take no more memory than one, and
 * each layer that several of them have, which is made for the first and mounted or copied for the others.
 */
export class SharedLayers {
  /** Places among the layers that are read through this thread. */
  readonly streams = new Gate(STREAMS_AT_ONCE);
  readonly #openWriter: () => LayerWriter;
  readonly #made = new OnceEach<MadeLayer>();
  #threads: Threads | undefined;
  #users = 0;

  constructor(openWriter: () => LayerWriter) {
    this.#openWriter = openWriter;
  }

  /** Lends the threads to `work`; they end with the last work that uses them. */
  async withThreads<T>(work: (threads: Threads) => Promise<T>): Promise<T> {
    this.#users += 1;
    this.#threads ??= this.#start();
    const threads = this.#threads;
    try {
      return await work(threads);
    } finally {
      this.#users -= 1;
      if (this.#users === 0) {
        this.#threads = undefined;
        await threads.writer.close();
      }
    }
  }

  /**
   * Sees to it that all of `destinations` have a layer: by `make`, or, where that was done for another image under the same `name`, from there; what
   * cannot be had from there is made again. Without a name it is made. `check` throws where this image must not have what the other has.
   */
  async ensure(
    name: string | undefined,
    destinations: readonly Repository[],
    { make, check, ...tools }: CopyTools & EnsureTools,
  ): Promise<EnsuredLayer> {
    const [from] = destinations;
    if (name === undefined || from === undefined) return { stored: await make(), isOwn: true };
    for (;;) {
      const { result, isOwn } = await this.#made.do(name, async () => ({ stored: await make(), from }));
      const { stored } = result;
      if (isOwn) return { stored, isOwn };
      check(stored);
      try {
        await copyBlobToAll(stored.descriptor, result.from, destinations, { ...tools, reading: this.streams });
        return { stored, isOwn };
      } catch (error) {
        if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
        this.#made.forget((known) => known === result);
      }
    }
  }

  /** Makes layers again when they are asked for once more. */
  forget(isGone: (layer: Pick<Descriptor, 'digest'>) => boolean): void {
    this.#made.forget(({ stored }) => isGone(stored.descriptor));
  }

  #start(): Threads {
    const writer = this.#openWriter();
    return { writer, sending: new Gate(underWay(writer.width)) };
  }
}

/** How a layer gets to its destinations, beside what a copy takes. */
interface EnsureTools {
  readonly make: () => Promise<StoredLayer>;
  readonly check: (stored: StoredLayer) => void;
}

interface EnsuredLayer {
  readonly stored: StoredLayer;
  /** Whether it was made for this image. */
  readonly isOwn: boolean;
}

/** Names the bytes of a layer before they are made; undefined where only reading it tells. */
export function bytesName(layer: Layer, { name, level }: Compression): string | undefined {
  if (layer.kind === 'blob') return `blob ${layer.descriptor.digest}`;
  if (layer.kind === 'tree') return `${layer.key} ${name} ${level}`;
  if (layer.encoding !== 'tar') return layer.descriptor && `${keyOf(layer)} ${layer.descriptor.digest}`;
  return layer.isVerified ? `${keyOf(layer)} ${name} ${level}` : undefined;
}
