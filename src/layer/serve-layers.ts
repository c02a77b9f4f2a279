import type { MessagePort } from 'node:worker_threads';
import { BlockPool } from '../core/block-pool.ts';
import { sendError } from '../core/sent-error.ts';
import { STREAM_BLOCK, tarStream } from '../tar/writer.ts';
import { ChunkedCodec } from './chunked/chunked-codec.ts';
import { layerEntries } from './entries.ts';
import { chosenCodec, type ProgramTools } from './external-codec.ts';
import { FrameMaker } from './frame-maker.ts';
import { lazyStoreTree, watchedStoreTree } from './store-tree.ts';
import { CREW, type Crew, type FromThread, type LayerTask, type ToThread } from './thread-messages.ts';
import { treePrint } from './tree-print.ts';
import { hashLayer, type Sink, type WrittenLayer, writeLayer } from './write-layer.ts';

/** Bytes that go to the other side at once: few messages, and little memory under way. */
const CHUNK = 256 * 1024;

/** Chunks under way: one is filled, one waits, one is taken by the network. */
const CHUNKS = 3;

/** Blocks that a thread keeps between layers: more are in use only while others compress some of them. */
const BLOCKS_KEPT = 1;

/**
 * Bytes of a layer from which its blocks are compressed elsewhere, too. A smaller one takes some tens of milliseconds, and a context of zstd for each block
 * that is compressed at once would stay for nothing: at the end of a publish all threads would have some.
 */
const HELPED_FROM = 8 * 1024 * 1024;

/** Makes layers, one after the other, as the other side of `port` asks for them. */
export function serveLayers(port: MessagePort, tools: ProgramTools): void {
  const chunks = new Chunks(port);
  const pool = new BlockPool(STREAM_BLOCK);
  const frames = new FrameMaker();
  const answer = (message: FromThread): void => port.postMessage(message);
  port.on('message', (message: ToThread) => {
    if (message.kind === 'taken') return chunks.give(message.memory);
    const { task, crew } = message;
    const onHashed = (read: number): void => answer({ kind: 'hashed', read });
    write(task, crew, { ...tools, pool, frames, onHashed }, (bytes, read) => chunks.write(bytes, read)).then(
      (layer) => {
        chunks.flush(layer.unpackedSize);
        pool.shrink(BLOCKS_KEPT);
        answer({ kind: 'written', layer });
      },
      (error) => answer({ kind: 'failed', error: sendError(error) }),
    );
  });
}

interface WriteTools extends ProgramTools {
  readonly pool: BlockPool;
  readonly frames: FrameMaker;
  readonly onHashed: (read: number) => void;
}

async function write(
  { content, size, compression, parallel: least }: LayerTask,
  crew: Crew,
  { pool, onHashed, ...tools }: WriteTools,
  sink: Sink,
): Promise<WrittenLayer> {
  const release = (block: Uint8Array): void => pool.give(block);
  if (compression === null) {
    const print = treePrint();
    const tar = tarStream(layerEntries(content, watchedStoreTree(print.add)), pool);
    const layer = hashLayer(tar, release, onHashed);
    return content.kind === 'store' ? { ...layer, treePrint: print.end() } : layer;
  }
  const entries = layerEntries(content, lazyStoreTree);
  const helped = (): number => Math.max(least, 1 + idleShare(crew));
  const options = { parallel: size < HELPED_FROM ? 1 : helped, release };
  if (compression.name !== 'zstd:chunked')
    return writeLayer(tarStream(entries, pool), chosenCodec(compression, tools), sink, options);
  const codec = new ChunkedCodec(compression.level, tools.frames);
  const tar = tarStream(entries, pool, 0, (entry, headerLength) => codec.announce(entry, headerLength));
  return writeLayer(tar, codec, sink, options);
}

/**
 * Cores that each thread at work may use beside its own: those of threads that have no work any more, shared among the others. Threads that were not
 * started do not count, for while the first ones start all of them would take the memory of all cores.
 */
function idleShare(crew: Crew): number {
  const atWork = Math.max(1, Atomics.load(crew, CREW.atWork));
  return Math.floor((Atomics.load(crew, CREW.most) - atWork) / atWork);
}

/** Gathers bytes in a few pieces of memory that go to and fro; a writer waits for one to come back. */
class Chunks {
  readonly #port: MessagePort;
  readonly #free: ArrayBuffer[] = Array.from({ length: CHUNKS }, () => new ArrayBuffer(CHUNK));
  #current: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;
  #waiting: ((memory: ArrayBuffer) => void) | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  async write(bytes: Uint8Array, read: number): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#current ??= new Uint8Array(await this.#take());
      const part = bytes.subarray(at, at + CHUNK - this.#used);
      this.#current.set(part, this.#used);
      at += part.length;
      this.#used += part.length;
      if (this.#used === CHUNK) this.flush(read);
    }
  }

  flush(read: number): void {
    if (this.#current === undefined) return;
    const memory = this.#current.buffer;
    const message: FromThread = { kind: 'chunk', memory, length: this.#used, read };
    this.#port.postMessage(message, [memory]);
    this.#current = undefined;
    this.#used = 0;
  }

  give(memory: ArrayBuffer): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(memory);
    else this.#free.push(memory);
  }

  async #take(): Promise<ArrayBuffer> {
    return (
      this.#free.pop() ??
      new Promise((resolve) => {
        this.#waiting = resolve;
      })
    );
  }
}
