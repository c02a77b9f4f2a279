import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type BaseLimits, readBaseTree } from '../../../../src/image/from-definition/read-base.ts';
import { baseImage, file, folder, tarOf } from '../base-kit.ts';

const { signal } = new AbortController();
const LOWER = tarOf([
  folder('tmp', 0o1777),
  folder('etc'),
  file('etc/passwd', 'root:x:0:0:::\n'),
  file('old', 'x'.repeat(5000)),
]);
const UPPER = tarOf([file('.wh.old', '')]);

const sees = async (packed: readonly Uint8Array[], tars?: readonly Uint8Array[]): Promise<unknown[]> => {
  const view = (await readBaseTree(baseImage(packed, tars), signal)).view('base');
  const passwd = view.node('etc/passwd');
  const tmp = view.node('tmp');
  return [
    tmp?.type === 'directory' && tmp.mode,
    passwd?.type === 'file' && passwd.accounts?.text,
    view.node('old')?.type,
  ];
};
const WHOLE = [0o1777, 'root:x:0:0:::\n', undefined];

describe('the layers of a base', () => {
  const halves = (tar: Buffer): Buffer[] => [tar.subarray(0, 700), tar.subarray(700)];
  const packings: [string, (tar: Buffer) => Uint8Array][] = [
    ['as they are', (tar) => tar],
    ['of gzip', (tar) => gzipSync(tar)],
    ['of gzip with several members', (tar) => Buffer.concat(halves(tar).map((part) => gzipSync(part)))],
    ['of zstd', (tar) => zstdCompressSync(tar)],
    ['of zstd with several frames', (tar) => Buffer.concat(halves(tar).map((part) => zstdCompressSync(part)))],
  ];
  test.each(packings)('are read %s, whatever their media type', async (_what, pack) => {
    expect(await sees([LOWER, UPPER].map(pack), [LOWER, UPPER])).toEqual(WHOLE);
  });

  const large = tarOf([folder('etc'), file('etc/passwd', 'x'.repeat(2_000_000)), file('bin', 'y'.repeat(2_000_000))]);
  test('keep a list of accounts, but not one that is far too large', async () => {
    const view = (await readBaseTree(baseImage([large]), signal)).view('base');
    expect(view.node('etc/passwd')).toMatchObject({ type: 'file', accounts: { text: undefined } });
  });

  const refused: [what: string, packed: Uint8Array, tar: Uint8Array, says: string][] = [
    ['xz', Buffer.from('fd377a585a000004'.padEnd(2048, '0'), 'hex'), LOWER, 'layer 1'],
    ['text', Buffer.from('hello '.repeat(200)), LOWER, 'cannot be read'],
    ['a gzip that is cut off', gzipSync(LOWER).subarray(0, -20), LOWER, 'unexpected end of file'],
    ['a damaged zstd', zstdCompressSync(LOWER).fill(7, 12, 40), LOWER, 'docker://host/base'],
    ['another tar than the config says', UPPER, LOWER, 'but its config says'],
    ['what follows the end of the tar', Buffer.concat([LOWER, Buffer.from('x')]), LOWER, 'but its config says'],
  ];
  test.each(refused)('are refused with %s', async (_what, packed, tar, says) => {
    await expect(sees([packed], [tar])).rejects.toMatchObject({
      message: expect.stringContaining(says),
      hint: expect.any(String),
    });
  });

  const limits: BaseLimits = { entries: 10, names: 1000, unpacked: 100_000 };
  const bombs: [string, Buffer, string][] = [
    ['files', tarOf(Array.from({ length: 11 }, (_, at) => file(`f${at}`, ''))), 'more than 10 files'],
    [
      'names',
      tarOf(Array.from({ length: 9 }, (_, at) => folder(`${at}`.padEnd(150, 'n')))),
      'more than 1000 bytes of file names',
    ],
    ['bytes', tarOf([file('zeros', '\0'.repeat(200_000))]), 'more than 100000 bytes unpacked'],
  ];
  test.each(bombs)('are refused with too many %s', async (_what, tar, says) => {
    const reading = readBaseTree(baseImage([zstdCompressSync(tar)], [tar]), signal, limits);
    await expect(reading).rejects.toMatchObject({ code: 'file', message: expect.stringContaining(says) });
  });

  test('are left when the command is stopped', async () => {
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(readBaseTree(baseImage([gzipSync(LOWER)], [LOWER]), stopped)).rejects.toThrow('stopped');
  });
});
