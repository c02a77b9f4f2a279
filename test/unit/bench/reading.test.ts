import { expect, test } from 'vitest';
import { missedReading, type ReadingResult, readingText } from '../../../bench/disk/reading.ts';

const result: ReadingResult = {
  loadBefore: 0.1,
  cores: 2,
  dataBytes: 1.1e9,
  seconds: { hash: 0.45, hashLarger: 0.46, openssl: 0.77, pack: 4, packLarger: 4.1, gzip: 60 },
  memory: { hash: 120e6, hashLarger: 121e6, openssl: 8e6, pack: 150e6, packLarger: 150e6, gzip: 2e6 },
  packedBytes: { pack: 380e6, packLarger: 380e6, gzip: 407e6 },
  runs: { hash: 3, hashLarger: 3, openssl: 3, pack: 3, packLarger: 3, gzip: 1 },
};

test('what is reached is a table and no more', () => {
  expect(missedReading(result)).toEqual([]);
  expect(readingText(result)).toContain('| zstd frames, holes as frames of zeros | 3 | 4.00 | 150.0 MB | 380.0 MB |');
});

test('what is missed is said, each by itself', () => {
  const worse = (part: Partial<ReadingResult>) => missedReading({ ...result, ...part });
  expect(worse({ seconds: { ...result.seconds, hash: 0.47, hashLarger: 0.47 } })).toEqual([
    'missed: digests take 1.22 times openssl on 2 cores',
  ]);
  expect(worse({ seconds: { ...result.seconds, hash: 0.2, openssl: 0.05 } })).toEqual([]);
  expect(worse({ seconds: { ...result.seconds, pack: 21, packLarger: 21 } })).toEqual([
    'missed: compressing is 2.9 times as fast as gzip -6',
  ]);
  expect(worse({ packedBytes: { ...result.packedBytes, pack: 408e6 } })).toHaveLength(1);
  expect(worse({ seconds: { ...result.seconds, hashLarger: 0.6, packLarger: 5.3 } })).toEqual([
    'missed: hash takes 1.33 times as long on 4 times the disk',
    'missed: pack takes 1.32 times as long on 4 times the disk',
  ]);
  expect(worse({ memory: { ...result.memory, pack: 201e6 } })).toEqual(['missed: pack takes 201.0 MB of memory']);
});
