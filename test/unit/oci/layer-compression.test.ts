import { expect, test } from 'vitest';
import { chunkedAnnotations, plainAnnotation } from '../../../src/oci/chunked.ts';
import { layerCompression } from '../../../src/oci/layer-compression.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-type.ts';
import { asChunked } from '../../../src/oci/read-chunked.ts';

const PART = { offset: 8, length: 1, unpacked: 1 };
const TABLE = chunkedAnnotations(`sha256:${'a'.repeat(64)}`, PART, PART);

test.each([
  [MEDIA_TYPE.layerGzip, {}, 'gzip'],
  [MEDIA_TYPE.dockerLayerGzip, {}, 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', {}, 'gzip'],
  [MEDIA_TYPE.layerZstd, {}, 'zstd'],
  [MEDIA_TYPE.layerZstd, TABLE, 'zstd:chunked'],
  [MEDIA_TYPE.layerZstd, plainAnnotation('a name is not UTF-8'), 'zstd'],
  // What readers see is a layer packed with gzip, whatever is written beside it.
  [MEDIA_TYPE.layerGzip, TABLE, 'gzip'],
  [MEDIA_TYPE.layer, {}, 'none'],
  [MEDIA_TYPE.dockerLayer, {}, 'none'],
  ['application/spdx+json', {}, null],
])('%s with %j is %s', (mediaType, annotations, compression) => {
  expect(layerCompression({ mediaType, annotations })).toBe(compression);
});

const [WHY] = Object.keys(plainAnnotation(''));

test.each([
  ['a reason', 'a name is not UTF-8: nix/store/x', true],
  ['a reason of several megabytes', 'x'.repeat(3_000_000), false],
  ['a reason of several lines', 'a\nb', false],
  ['a reason that would colour a terminal', '\u001b[31mred', false],
])('of another maker’s annotations %s counts: %#', (_, why, counts) => {
  const said = { [WHY ?? '']: why, other: 'x' };
  expect(asChunked(said)).toEqual(counts ? { [WHY ?? '']: why } : undefined);
});

test.each([
  ['one that is missing', { ...TABLE, [Object.keys(TABLE)[2] ?? '']: undefined }],
  ['a place that is not a number', { ...TABLE, [Object.keys(TABLE)[1] ?? '']: '8:1:x:1' }],
  ['numbers without end', { ...TABLE, [Object.keys(TABLE)[1] ?? '']: `${'9'.repeat(400)}:1:1:1` }],
])('%s makes no table of contents', (_, said) => {
  expect(asChunked({ ...TABLE, other: 'x' })).toEqual(TABLE);
  expect(asChunked(said as Record<string, string>)).toBeUndefined();
});

test('a reason with a long name in it is cut, and counts when it is read again', () => {
  const said = plainAnnotation(`a name is not UTF-8: nix/store/\u001b[2J${'𝔫'.repeat(5_000)}\n`);
  expect(JSON.stringify(said).length).toBeLessThan(600);
  expect(asChunked(said)).toEqual(said);
});
