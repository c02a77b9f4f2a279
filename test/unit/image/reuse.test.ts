import { expect, test } from 'vitest';
import { NO_JOURNAL } from '../../../src/image/journal.ts';
import { NOTHING_PREVIOUS, type PreviousLayer } from '../../../src/image/previous-image.ts';
import { createReuse } from '../../../src/image/reuse.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import type { Repository } from '../../../src/storage/destination.ts';

const KEY = 'a'.repeat(64);
// Only told apart here, never asked.
const [MAIN, MIRROR, NAMED] = ['main', 'mirror', 'named'].map((name) => ({ name }) as Repository) as [
  Repository,
  Repository,
  Repository,
];

const says = (repository: Repository, bytes: string, more: { forAll?: boolean; tar?: string; type?: string } = {}) => {
  const { forAll = false, tar = 'tar', type = MEDIA_TYPE.layerGzip } = more;
  const record = { key: KEY, diffId: digestOf(Buffer.from(tar)), unpackedSize: 3, storeHashes: [] };
  const descriptor = { mediaType: type, digest: digestOf(Buffer.from(bytes)), size: bytes.length };
  return { descriptor, record, repository, forAll } satisfies PreviousLayer;
};

const found = async (told: readonly PreviousLayer[], noted?: PreviousLayer) => {
  const previous = { ...NOTHING_PREVIOUS, layers: new Map([[KEY, told]]) };
  const reuse = createReuse(previous, { ...NO_JOURNAL, find: async () => noted });
  const best = await reuse.find(KEY, { mediaType: MEDIA_TYPE.layerGzip, isChunked: false }, [MAIN, MIRROR]);
  const names = (all: readonly Repository[]): string => all.map(({ name }) => name).join(' ');
  return best && [best.descriptor.digest, names(best.knownAt), names(best.unknownAt)];
};

const digest = (bytes: string) => digestOf(Buffer.from(bytes));
const x = digest('x');

test.each<[string, PreviousLayer[], PreviousLayer | undefined, unknown]>([
  ['nobody knows it', [], undefined, undefined],
  ['both say the same', [says(MAIN, 'x'), says(MIRROR, 'x')], undefined, [x, 'main mirror', '']],
  ['one says it: for itself', [says(MIRROR, 'x')], undefined, [x, 'mirror', 'main']],
  ['each says another: the first', [says(MAIN, 'x'), says(MIRROR, 'y')], undefined, [x, 'main', 'mirror']],
  [
    'the same bytes of other content',
    [says(MAIN, 'x'), says(MIRROR, 'x', { tar: 'y' })],
    undefined,
    [x, 'main', 'mirror'],
  ],
  ['of another codec', [says(MAIN, 'x', { type: MEDIA_TYPE.layerZstd })], undefined, undefined],
  ['what is named is for all', [says(NAMED, 'x', { forAll: true })], undefined, [x, 'main mirror', '']],
  [
    'what is named goes before one destination',
    [says(MIRROR, 'y'), says(NAMED, 'x', { forAll: true })],
    undefined,
    [x, 'main mirror', ''],
  ],
  ['what this machine made is for all', [says(MIRROR, 'y')], says(MAIN, 'x', { forAll: true }), [x, 'main mirror', '']],
  [
    'what both say is not asked for',
    [says(MAIN, 'x'), says(MIRROR, 'x')],
    says(MAIN, 'y', { forAll: true }),
    [x, 'main mirror', ''],
  ],
])('%s', async (_what, told, noted, expected) => {
  expect(await found(told, noted)).toEqual(expected);
});
