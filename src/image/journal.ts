import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { countText } from '../core/count.ts';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Log } from '../core/log.ts';
import type { LayerRecord } from '../definition/layer-record.ts';
import { type Descriptor, descriptorSchema } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { digestSchema } from '../oci/digest-schema.ts';
import type { Repository } from '../storage/destination.ts';
import type { PreviousLayer } from './previous-image.ts';

/** A chunk of a disk that was sent, and what it holds. */
export interface SentChunk {
  readonly descriptor: Descriptor;
  /** Digest of the piece of the disk, unpacked. */
  readonly content: Digest;
  /** Bytes of that piece. */
  readonly length: number;
}

/** What a publish has sent to its destinations so far, so that one that was interrupted goes on where it stopped. */
export interface Journal {
  /** The layer of a key, if one of the destinations still has it. */
  find(key: string): Promise<PreviousLayer | undefined>;
  add(layer: { readonly descriptor: Descriptor; readonly record: LayerRecord }): Promise<void>;
  /** Chunks of disks; whether one of the destinations still has one is asked by `holderOf`. */
  readonly chunks: readonly SentChunk[];
  addChunk(chunk: SentChunk): Promise<void>;
  /** The first of the destinations that has a blob. */
  holderOf(descriptor: Descriptor): Promise<Repository | undefined>;
  /** Forgets everything: what was sent has a tag now, which remembers it better. */
  clear(): Promise<void>;
}

export const NO_JOURNAL: Journal = {
  find: async () => undefined,
  add: async () => {},
  chunks: [],
  addChunk: async () => {},
  holderOf: async () => undefined,
  clear: async () => {},
};

const layerSchema = z.object({
  descriptor: descriptorSchema,
  record: z.object({
    key: z.string().regex(/^[0-9a-f]{64}$/),
    diffId: digestSchema,
    unpackedSize: z.int().nonnegative(),
    storeHashes: z.array(z.string()),
    base: z.string().optional(),
  }),
});

const chunkSchema = z.object({ descriptor: descriptorSchema, content: digestSchema, length: z.int().positive() });

/**
 * A journal in a file of `folder`, one for each set of destinations: a JSON line for each layer or chunk of a disk, written when its blob
 * is committed; none where there is no destination. This machine wrote it, so what it says of a blob's content counts
 * for every destination; whether the blob is still there is asked first, a damaged line is passed over, and where the file cannot be written the publish goes on without.
 */
export async function openJournal(folder: string, repositories: readonly Repository[], log: Log): Promise<Journal> {
  if (repositories.length === 0) return NO_JOURNAL;
  const names = repositories.map((repository) => repository.name).sort();
  const file = join(folder, `${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 32)}.jsonl`);
  const text = await readFile(file, 'utf8').catch(() => '');
  const layers = new Map(linesOf(text, layerSchema).map((line) => [line.record.key, line]));
  const chunks = linesOf(text, chunkSchema);
  const known = [
    ...(layers.size > 0 ? [countText(layers.size, 'layer')] : []),
    ...(chunks.length > 0 ? [countText(chunks.length, 'chunk')] : []),
  ];
  if (known.length > 0) log.info(`resuming an interrupted publish: ${known.join(' and ')} known from ${file}`);
  const holderOf = async (descriptor: Descriptor): Promise<Repository | undefined> => {
    for (const repository of repositories) if (await repository.hasBlob(descriptor)) return repository;
    return undefined;
  };
  const append = openAppender(folder, file, log);
  return {
    find: async (key) => {
      const line = layers.get(key);
      const repository = line && (await holderOf(line.descriptor));
      return repository && { ...line, repository, forAll: true };
    },
    add: append,
    chunks,
    addChunk: append,
    holderOf,
    clear: () => rm(file, { force: true }),
  };
}

/** Lines of one kind. Nothing for the last line of a process that was killed; what it stood for is found out again. */
const linesOf = <T>(text: string, schema: z.ZodType<T>): T[] =>
  text.split('\n').flatMap((line) => tryDecodeJson(line, schema) ?? []);

/** Writes lines at the end of a file, whose folder is made first. What cannot be written is missed by nobody but the next publish. */
function openAppender(folder: string, file: string, log: Log): (line: object) => Promise<void> {
  let isPrepared = false;
  let isBroken = false;
  return async (line) => {
    if (isBroken) return;
    try {
      // Blocking: a few hundred bytes into the page cache, where each trip to the thread pool takes twenty times as long while it compresses.
      if (!isPrepared) mkdirSync(folder, { recursive: true, mode: 0o700 });
      isPrepared = true;
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    } catch (error) {
      isBroken = true;
      log.debug(`no journal: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}
