import { z } from 'zod';

/** Where a part of a blob lies, and what it unpacks to. */
export interface Place {
  readonly offset: number;
  readonly length: number;
  readonly unpacked: number;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const entrySchema = z.strictObject({
  type: z.enum(['reg', 'hardlink', 'char', 'block', 'dir', 'fifo', 'symlink', 'chunk']),
  name: z.string().min(1),
  linkName: z.string().optional(),
  mode: z.int().optional(),
  size: z.int().optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
  modtime: z.iso.datetime().optional(),
  accesstime: z.iso.datetime().optional(),
  changetime: z.iso.datetime().optional(),
  devMajor: z.int().optional(),
  devMinor: z.int().optional(),
  xattrs: z.record(z.string(), z.base64()).optional(),
  digest: digest.optional(),
  offset: z.int().optional(),
  endOffset: z.int().optional(),
  chunkSize: z.int().optional(),
  chunkOffset: z.int().optional(),
  chunkDigest: digest.optional(),
  chunkType: z.literal('zeros').optional(),
});

export const tocSchema = z.strictObject({
  version: z.literal(1),
  entries: z.array(entrySchema),
  tarSplitDigest: digest,
});

export type TocEntry = z.infer<typeof entrySchema>;

export const PREFIX = 'io.github.containers.zstd-chunked.';

/** Where a layer's annotations say that its tables lie. Throws where they are not as containers/storage writes them. */
export function placesOf(annotations: Readonly<Record<string, string>>): { toc: Place; tarSplit: Place } {
  const place = (name: string, form: RegExp): Place => {
    const [, offset, length, unpacked] = (form.exec(annotations[PREFIX + name] ?? '') ?? []).map(Number);
    if (offset === undefined || length === undefined || unpacked === undefined)
      throw new Error(`${name}: ${annotations[PREFIX + name]}`);
    return { offset, length, unpacked };
  };
  return {
    toc: place('manifest-position', /^(\d+):(\d+):(\d+):1$/),
    tarSplit: place('tarsplit-position', /^(\d+):(\d+):(\d+)$/),
  };
}

/** Throws `what` unless it is right. */
export const check = (isRight: boolean, what: string): void => {
  if (!isRight) throw new Error(what);
};
