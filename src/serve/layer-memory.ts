import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { tryDecodeJson } from '../core/decode-json.ts';
import type { Log } from '../core/log.ts';
import { type BaseRecord, parseRecord } from '../definition/base-record.ts';
import type { FoundTar } from '../image/layer.ts';
import { digestSchema } from '../oci/digest-schema.ts';

/** What this machine knows of layers that it has read: their digests, so that none is read twice to be named. */
export interface LayerMemory {
  /** The tar of a layer's key. */
  find(key: string): FoundTar | undefined;
  add(key: string, tar: FoundTar): Promise<void>;
  /** What tars say of the bases that they lie on; see `BaseRecord`. */
  bases(): readonly BaseRecord[];
  /** Which paths stood together in the image of that name before, so that a changed path moves no other. */
  groupsOf(image: string): readonly (readonly string[])[];
  keepGroups(image: string, groups: readonly (readonly string[])[]): Promise<void>;
  /** Forgets what turned out to be wrong. */
  forget(key: string): Promise<void>;
}

/** Bytes of the file; some ten thousand layers. Of a larger one the newer half is kept. */
const MOST_BYTES = 4 * 1024 * 1024;

const keySchema = z.string().regex(/^[0-9a-f]{64}$/);

const lineSchema = z.union([
  z.strictObject({
    key: keySchema,
    diffId: digestSchema,
    unpackedSize: z.int().positive(),
    base: z.string().optional(),
  }),
  z.strictObject({ forgotten: keySchema }),
  z.strictObject({ image: z.string(), groups: z.array(z.array(z.string().regex(/^[0-9a-z]{32}$/))) }),
]);

type Line = z.infer<typeof lineSchema>;

/**
 * The memory in a file: a JSON line for each thing learnt, appended in one write, so that two processes may use it at once. Lines that are
 * damaged are passed over; where the file cannot be read or written, layers are read again and no more is lost.
 */
export async function openLayerMemory(file: string, log: Log): Promise<LayerMemory> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').flatMap((line) => tryDecodeJson(line, lineSchema) ?? []);
  const tars = new Map<string, FoundTar>();
  const groups = new Map<string, readonly (readonly string[])[]>();
  for (const line of lines) learn(line, tars, groups);
  let broken = false;
  const write = async (work: () => Promise<unknown>): Promise<void> => {
    if (broken) return;
    try {
      await work();
    } catch (error) {
      broken = true;
      log.debug(`digests of layers are not kept: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (text.length > MOST_BYTES) await write(() => replace(file, newerHalf(lines)));
  const append = (line: Line): Promise<void> => {
    learn(line, tars, groups);
    return write(async () => {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 });
      // One that was cut off by a crash must not swallow this one.
      await appendFile(file, `\n${JSON.stringify(line)}\n`);
    });
  };
  return {
    find: (key) => tars.get(key),
    add: (key, { diffId, unpackedSize, base }) =>
      append({ key, diffId, unpackedSize, ...(base === undefined ? {} : { base }) }),
    bases: () => [...tars.values()].flatMap(({ base }) => (base && parseRecord(base)) || []),
    groupsOf: (image) => groups.get(image) ?? [],
    keepGroups: async (image, now) => {
      if (JSON.stringify(groups.get(image)) === JSON.stringify(now)) return;
      await append({ image, groups: now.map((group) => [...group]) });
    },
    forget: (key) => append({ forgotten: key }),
  };
}

function learn(line: Line, tars: Map<string, FoundTar>, groups: Map<string, readonly (readonly string[])[]>): void {
  if ('key' in line) tars.set(line.key, line);
  else if ('image' in line) groups.set(line.image, line.groups);
  else tars.delete(line.forgotten);
}

/** The last word on each thing, the newest of them within half of the limit. */
function newerHalf(lines: readonly Line[]): string {
  const last = new Map<string, string>();
  for (const line of lines) {
    const about = 'image' in line ? `image ${line.image}` : 'key' in line ? line.key : line.forgotten;
    last.delete(about);
    if (!('forgotten' in line)) last.set(about, JSON.stringify(line));
  }
  const kept: string[] = [];
  let bytes = 0;
  for (const text of [...last.values()].reverse()) {
    bytes += text.length + 1;
    if (bytes > MOST_BYTES / 2) break;
    kept.push(text);
  }
  return kept.reverse().join('\n');
}

async function replace(file: string, text: string): Promise<void> {
  const partial = `${file}.${randomUUID()}`;
  try {
    await writeFile(partial, `${text}\n`, { mode: 0o600 });
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
