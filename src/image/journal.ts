import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Log } from '../core/log.ts';
import type { LayerRecord } from '../definition/layer-record.ts';
import { type Descriptor, descriptorSchema } from '../oci/descriptor.ts';
import { digestSchema } from '../oci/digest.ts';
import type { Repository } from '../storage/destination.ts';
import type { PreviousLayer } from './previous-image.ts';

/** What a publish has sent to its destinations so far, so that one that was interrupted goes on where it stopped. */
export interface Journal {
  /** The layer of a key, if one of the destinations still has it. */
  find(key: string): Promise<PreviousLayer | undefined>;
  add(layer: { readonly descriptor: Descriptor; readonly record: LayerRecord }): Promise<void>;
  /** Forgets everything: what was sent has a tag now, which remembers it better. */
  clear(): Promise<void>;
}

export const NO_JOURNAL: Journal = { find: async () => undefined, add: async () => {}, clear: async () => {} };

const lineSchema = z.object({
  descriptor: descriptorSchema,
  record: z.object({
    key: z.string().regex(/^[0-9a-f]{64}$/),
    diffId: digestSchema,
    unpackedSize: z.int().nonnegative(),
    storeHashes: z.array(z.string()),
    base: z.string().optional(),
  }),
});

/**
 * A journal in a file of `folder`, one for each set of destinations: a JSON line for each layer, written when its blob
 * is committed; none where there is no destination. This machine wrote it, so what it says of a layer's content counts
 * for every destination; whether the blob is still there is asked first, a damaged line is passed over, and where the file cannot be written the publish goes on without.
 */
export async function openJournal(folder: string, repositories: readonly Repository[], log: Log): Promise<Journal> {
  if (repositories.length === 0) return NO_JOURNAL;
  const names = repositories.map((repository) => repository.name).sort();
  const file = join(folder, `${createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 32)}.jsonl`);
  const lines = new Map((await readLines(file)).map((line) => [line.record.key, line]));
  if (lines.size > 0) log.info(`resuming an interrupted publish: ${lines.size} layers are known from ${file}`);
  let broken = false;
  return {
    find: async (key) => {
      const line = lines.get(key);
      if (!line) return undefined;
      for (const repository of repositories)
        if (await repository.hasBlob(line.descriptor)) return { ...line, repository, forAll: true };
      return undefined;
    },
    add: async (line) => {
      if (broken) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await appendFile(file, `${JSON.stringify(line)}\n`);
      } catch (error) {
        broken = true;
        log.debug(`no journal: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    clear: () => rm(file, { force: true }),
  };
}

async function readLines(file: string): Promise<z.infer<typeof lineSchema>[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    // Nothing for the last line of a process that was killed; what it stood for is found out again.
    return tryDecodeJson(line, lineSchema) ?? [];
  });
}
