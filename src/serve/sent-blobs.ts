import type { Effects } from '../core/effects.ts';
import { Gate } from '../core/gate.ts';
import type { Progress } from '../core/log.ts';
import type { ByteStream, RegistryAnswer } from './answer.ts';
import { SERVED_BLOCK } from './layer-bytes.ts';

/**
 * Blobs that are made at once, each with two blocks in memory: enough for several clients, which ask for three to six each, and 12 MB. The
 * others wait in the order in which they asked.
 */
const MADE_AT_ONCE = 24;

/** The blobs that a registry sends, over all of its clients. */
interface SentBlobs {
  /** Bytes that were made of each so far, by its digest. */
  readonly bytes: ReadonlyMap<string, number>;
  /** The same answer, whose blob is made when it is its turn, counted and timed. One that is small waits for nobody. */
  inTurn(answer: RegistryAnswer): RegistryAnswer;
}

/** Counts, times and shows what is sent, and has no more made at once than memory allows. */
export function sentBlobs({ log }: Pick<Effects, 'log'>): SentBlobs {
  const places = new Gate(MADE_AT_ONCE);
  const sent = new Map<string, number>();
  const show = shownTogether(log);
  async function* counted({ chunks, name = '' }: ByteStream, digest: string, size: number): AsyncGenerator<Uint8Array> {
    const leave = size > SERVED_BLOCK ? await places.enter() : undefined;
    const span = log.span({ track: 'sending', name, facts: { digest } });
    const shown = show(name, size);
    let bytes = 0;
    try {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        shown.add(chunk.length);
        sent.set(digest, (sent.get(digest) ?? 0) + chunk.length);
        yield chunk;
      }
    } finally {
      shown.end();
      span.end({ bytes });
      leave?.();
    }
  }
  return {
    bytes: sent,
    inTurn: (answer) => {
      const { body, headers } = answer;
      if (body === undefined || body instanceof Uint8Array) return answer;
      const digest = headers['docker-content-digest'] ?? '';
      return { ...answer, body: { ...body, chunks: counted(body, digest, Number(headers['content-length'])) } };
    },
  };
}

/** Shows blobs, each for itself, as parts of one piece of work, which ends when none is under way. */
function shownTogether(log: Effects['log']) {
  let work: { readonly progress: Progress; done: number; blobs: number } | undefined;
  return (name: string, size: number) => {
    work ??= { progress: log.progress('Sending layers'), done: 0, blobs: 0 };
    const all = work;
    all.blobs += 1;
    const part = all.progress.part(name, size);
    let done = 0;
    return {
      add: (bytes: number) => {
        done += bytes;
        all.done += bytes;
        part.update(done);
        all.progress.update(all.done);
      },
      end: () => {
        part.end();
        all.blobs -= 1;
        if (all.blobs > 0) return;
        all.progress.end();
        work = undefined;
      },
    };
  };
}
