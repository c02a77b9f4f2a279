import { tmpdir } from 'node:os';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { decodeJson } from '../../../src/core/decode-json.ts';
import { checkUnpacked } from '../../../src/core/unpack-limit.ts';
import { unpackedDigest } from '../../../src/image/unpacked-digest.ts';
import { indexSchema, manifestSchema } from '../../../src/oci/manifest.ts';
import { openNameless } from '../../../src/storage/archive/archive-source.ts';
import { encodeHeader, fileHeader, padding } from '../../../src/tar/header.ts';
import { ArchiveIndex } from '../../../src/tar/index.ts';
import { MIB } from '../../support/bytes.ts';

describe('what packed bytes may stand for', () => {
  test.each([
    ['little', 1, 512 * MIB],
    ['a database of zeros', 10 * MIB, 2000 * MIB],
    ['a large image', 5000 * MIB, 40_000 * MIB],
  ])('%s is taken', (_what, packed, unpacked) => {
    expect(() => checkUnpacked('x', packed, unpacked)).not.toThrow();
  });

  test('98 kB that become 3 GiB are refused, with name and limit', () => {
    expect(() => checkUnpacked('app.tar.zst', 98_000, 3 * 1024 * MIB)).toThrow(
      'app.tar.zst unpacks to more than 3.2 GB, 32869 times its 98.0 kB; above 536.9 MB the limit is 200 times',
    );
  });

  test('a layer is refused as soon as it goes too far, and is not called damaged', async () => {
    // Many frames of zeros: 20 kB that would be 16 GiB.
    const frame = zstdCompressSync(Buffer.alloc(16 * MIB));
    const digest = unpackedDigest('zstd', 'layer 3');
    const writing = async () => {
      for (let at = 0; at < 1000; at += 1) await digest.write(frame);
    };
    await expect(writing()).rejects.toThrow(/^layer 3 unpacks to more than/);
  });
});

/** A long name as GNU tar writes it: an entry of its own before the file. */
const longName = (name: string, size: number): Buffer => {
  const header = encodeHeader({ name: 'L', type: 'L', size, mode: 0o644, uid: 0, gid: 0, mtime: 0 });
  const body = Buffer.alloc(size + padding(size));
  body.write(name);
  return Buffer.concat([header, body, fileHeader('f', 0)]);
};

const indexOf = async (entries: Iterable<Buffer>) => {
  const file = await openNameless(tmpdir());
  let at = 0;
  for (const entry of entries) at += (await file.write(entry, 0, entry.length, at)).bytesWritten;
  return ArchiveIndex.over('a.tar', file);
};

describe('names in an archive', () => {
  test('a short name in a record of 1 MiB keeps none of the rest in memory', async () => {
    const entries = Array.from({ length: 60 }, (_, at) => longName(`name-number-${at}-that-is-a-long-one`, MIB));
    const before = process.memoryUsage();
    const index = await indexOf(entries);
    global.gc?.();
    expect(process.memoryUsage().heapUsed - before.heapUsed).toBeLessThan(40 * MIB);
    expect(index.find('name-number-59-that-is-a-long-one')).toBeDefined();
    await index.close();
  });

  test('take so much in all and no more', async () => {
    const entries = Array.from({ length: 65 }, (_, at) => longName(`name-${at}`, MIB));
    await expect(indexOf(entries)).rejects.toThrow(
      'a.tar is not a readable archive: the names in it take more than 64 MiB',
    );
  });
});

describe('documents', () => {
  const document = { code: 'file', what: 'x' } as const;

  test.each(['[', '{"a":', '[{"b":['])('of %j within each other without end are refused', (piece) => {
    expect(() => decodeJson(piece.repeat(100_000), z.unknown(), document)).toThrow('within each other');
  });

  test('brackets in texts do not count', () => {
    const text = JSON.stringify({ a: '["\\{'.repeat(500), b: ['}'] });
    expect(decodeJson(text, z.unknown(), document)).toEqual(JSON.parse(text));
  });

  test('a thousand layers or entries are the most', () => {
    const descriptor = { mediaType: 'x', digest: `sha256:${'a'.repeat(64)}`, size: 1 };
    const many = Array.from({ length: 1001 }, () => descriptor);
    const image = { schemaVersion: 2, config: descriptor, layers: many };
    const refused = [manifestSchema.safeParse(image), indexSchema.safeParse({ schemaVersion: 2, manifests: many })];
    for (const { error } of refused) expect(error?.message).toContain('at most 1000 entries');
    expect(manifestSchema.safeParse({ ...image, layers: many.slice(1) }).success).toBe(true);
  });
});
